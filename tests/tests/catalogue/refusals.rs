//! What a team may not do, each told with file, key and remedy.

use tollgate_tests::{Upstream, guest};

use super::*;

/// What `check` says of a gateway.
#[track_caller]
fn refused(gateway: &TestGateway, parts: &[&str]) {
    let message = gateway.check().unwrap_err();
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

#[test]
fn grants_beyond_those_of_the_team() {
    let upstream = Upstream::start();
    let cases = [
        (
            "",
            "callouts = [\"shop\"]",
            "may not grant callouts = \"shop\"; remove it, or have it added to teams.pay.grants.callouts",
        ),
        ("grants = { callouts = [\"pay*\"] }", "callouts = [\"shop\"]", "may not grant callouts = \"shop\""),
        ("", "secrets = [\"key\"]", "may not grant secrets = \"key\""),
        ("", "store = [\"shared\"]", "may not grant store = { name = \"shared\", access = \"write\" }"),
        (
            "grants = { store = [{ name = \"shared\", access = \"read\" }] }",
            "store = [\"shared\"]",
            "access = \"write\" }",
        ),
        ("grants = { body = false }", "body = true", "may not grant body = true"),
        ("grants = { clock = false }", "clock = true", "may not grant clock = true"),
        ("grants = { read = [\"x-*\"] }", "read = [\"*\"]", "may not grant read = \"*\""),
        ("grants = { read = [\"x-*\"] }", "read = [\"accept\"]", "may not grant read = \"accept\""),
        ("grants = { write = [\"*\"] }", "write = [\"set-cookie\"]", "may not grant write = \"set-cookie\""),
    ];
    for (may, written, expected) in cases {
        let policy = format!("grants = {{ {written} }}\n{}", mark("1"));
        let gateway = with_pay(&upstream, may, &policy);
        refused(&gateway, &["policies/pay/pay-mark.toml:1: grants", "the team \"pay\"", expected]);
    }
}

#[test]
fn grants_of_a_module_beyond_the_ordinary() {
    let upstream = Upstream::start();
    for written in ["clock = true", "random = true", "read = [\"authorization\"]", "write = [\"set-cookie\"]"] {
        let policy =
            format!("filter = \"facts\"\ngrants = {{ {written} }}\nconfig = {{ in = \"request\", declare = [] }}\n");
        let gateway = with_pay(&upstream, "", &policy).file("policies/pay/facts.wasm", guest("facts"));
        refused(&gateway, &["policies/pay/pay-mark.toml:2: grants", "may not grant"]);
    }
}

#[test]
fn what_is_not_written_is_no_more_than_the_team_may_have() {
    let upstream = Upstream::start();
    let policy = "filter = \"facts\"\nconfig = { in = \"request\", declare = [\"accept\"] }\n";
    let gateway = |may: &str| with_pay(&upstream, may, policy).file("policies/pay/facts.wasm", guest("facts"));
    assert_eq!(gateway("").check(), Ok(()));
    assert_eq!(gateway("grants = { read = [\"acc*\"] }").check(), Ok(()));
    refused(&gateway("grants = { read = [\"x-*\"] }"), &["the filter is not granted to read \"accept\""]);
}

#[test]
fn limits_beyond_the_quota() {
    let upstream = Upstream::start();
    let cases = [
        (
            "cpu = \"2ms\"",
            "cpu = \"3ms\"",
            "limits.cpu is more than the 2ms that the team \"pay\" may have; write 2ms or less",
        ),
        ("exchange-cpu = \"2ms\"", "exchange-cpu = \"3ms\"", "limits.exchange-cpu is more than the 2ms"),
        ("tick-cpu = \"2ms\"", "tick-cpu = \"3ms\"", "limits.tick-cpu is more than the 2ms"),
        ("instances = 3", "instances = 4", "limits.instances is more than the 3 that the team"),
        ("body = \"64KiB\"", "body = \"1MiB\"", "limits.body is more than the 64KiB"),
        (
            "memory = \"8MiB\"",
            "memory = \"9MiB\"",
            "limits.memory of all policies of the team \"pay\" together is 9MiB, and its quota is 8MiB",
        ),
        ("store = \"8MiB\"", "cpu = \"1ms\"", "limits.store of all policies of the team \"pay\" together is 16MiB"),
        ("policies = 0", "cpu = \"1ms\"", "the team \"pay\" has 1 policies, and its quota is 0; remove one"),
        ("routes = 0", "cpu = \"1ms\"", "teams.pay.quota.routes: the team \"pay\" has 1 routes, and its quota is 0"),
    ];
    for (quota, limits, expected) in cases {
        let policy = format!("limits = {{ {limits} }}\n{}", mark("1"));
        refused(&with_pay(&upstream, &format!("quota = {{ {quota} }}"), &policy), &[expected]);
        assert_eq!(with_pay(&upstream, "", &policy).check(), Ok(()), "{limits}");
    }
    let silent = with_pay(
        &upstream,
        "quota = { cpu = \"2ms\", exchange-cpu = \"2ms\", tick-cpu = \"2ms\", body = \"64KiB\", instances = 3 }",
        &mark("1"),
    );
    assert_eq!(silent.check(), Ok(()), "what is not written is brought down");
}

#[test]
fn routes_beyond_the_requests_of_the_team() {
    let upstream = Upstream::start();
    let route = |keys: &str| format!("[[routes]]\nupstream = \"pay\"\n{keys}\n");
    let cases = [
        ("path = { prefix = \"/pay\" }", "routes[0].hosts: the route takes requests that are not the team \"pay\"'s"),
        ("hosts = [\"*.test\"]\npath = { prefix = \"/pay\" }", "routes[0].hosts"),
        (
            "hosts = [\"pay.test\", \"shop.test\"]\npath = { prefix = \"/pay\" }",
            "restrict it to hosts pay.test; paths /pay/*",
        ),
        ("hosts = [\"pay.test\"]", "routes[0].path"),
        ("hosts = [\"pay.test\"]\npath = { prefix = \"/payroll\" }", "routes[0].path"),
        ("hosts = [\"pay.test\"]\npath = { regex = \"/pay/.*\" }", "have teams.pay.routes of"),
    ];
    for (keys, expected) in cases {
        let gateway = gateway(&upstream, &catalogue("")).file("policies/pay/pay.routes.toml", route(keys));
        refused(&gateway, &["policies/pay/pay.routes.toml:1:", expected]);
    }
    let none =
        gateway(&upstream, &catalogue("")).file("policies/search/a.routes.toml", route("hosts = [\"search.test\"]"));
    refused(&none, &["no requests are the team's", "may not send to the upstream \"pay\""]);
}

#[test]
fn upstreams_that_are_not_for_the_team() {
    let upstream = Upstream::start();
    let to = |keys: &str| format!("[[routes]]\nhosts = [\"pay.test\"]\npath = {{ exact = \"/pay/a\" }}\n{keys}\n");
    let cases = [
        "upstream = \"shop\"",
        "split = [{ upstream = \"pay\" }, { upstream = \"shop\" }]",
        "split = { by-class = { a = \"shop\" }, default = \"pay\" }",
        "upstream = \"pay\"\nmirror = { upstream = \"shop\" }",
    ];
    for keys in cases {
        let gateway = gateway(&upstream, &catalogue("")).file("policies/pay/pay.routes.toml", to(keys));
        let expected = "the team \"pay\" may not send to the upstream \"shop\"; name another one, or have it added to teams.pay.upstreams";
        refused(&gateway, &["policies/pay/pay.routes.toml:1:", expected]);
    }
    let answer =
        gateway(&upstream, &catalogue("")).file("policies/pay/pay.routes.toml", to("respond = { status = 404 }"));
    assert_eq!(answer.check(), Ok(()));
}

#[test]
fn policies_of_others_on_its_routes_and_its_own_on_others() {
    let upstream = Upstream::start();
    let naming = |policy: &str| {
        let gateway = gateway(&upstream, &catalogue("attach = [\"10-edge\"]")).policy("10-edge", &mark("e"));
        let gateway = gateway.policy("20-other", &mark("o")).file("policies/search/search-x.toml", mark("s"));
        gateway.file("policies/pay/pay.routes.toml", routes(&format!("policies = [{policy:?}]")))
    };
    assert_eq!(naming("edge").check(), Ok(()));
    refused(
        &naming("search-x"),
        &["policies/pay/pay.routes.toml:5: routes[0].policies[0]: the policy \"search-x\" belongs to the team"],
    );
    refused(
        &naming("20-other"),
        &["is the platform's, and the team \"pay\" may not attach it", "added to teams.pay.attach"],
    );
    let everywhere = CONFIG.replace("upstream = \"shop\"", "upstream = \"shop\"\npolicies = [\"pay-mark\"]");
    let gateway = with_pay(&upstream, "", &mark("1")).config(&everywhere);
    refused(
        &gateway,
        &[
            "tollgate.toml:",
            "routes[0].policies[0]: the policy \"pay-mark\" is of the team \"pay\", whose requests these are not all",
        ],
    );
    let narrow =
        everywhere.replace("policies = [", "hosts = [\"pay.test\"]\npath = { exact = \"/pay/x\" }\npolicies = [");
    assert_eq!(with_pay(&upstream, "", &mark("1")).config(&narrow).check(), Ok(()));
}

#[test]
fn names_and_things_that_are_others() {
    let upstream = Upstream::start();
    let gateway = |file: &str, content: &str| gateway(&upstream, &catalogue("")).file(file, content);
    refused(
        &gateway("policies/pay/search-x.toml", &mark("1")),
        &[
            "policies/pay/search-x.toml: \"search-x\" is not in the name space of the team \"pay\", pay-*; rename the file",
        ],
    );
    refused(&gateway("policies/pay/a.routes.toml", "[upstreams.own]\n"), &["a.routes.toml:1: upstreams: unknown key"]);
    refused(
        &gateway("policies/pay/a.routes.toml", &routes("name = \"all\"")),
        &["\"all\" is the name of another route already"],
    );
    let both = gateway("policies/pay/pay-x.toml", &mark("1")).policy("pay-x", &mark("2"));
    refused(&both, &["policies/pay/pay-x.toml: there is also a policy \"pay-x\" in"]);
    let captures = format!("capture = {{ directory = \"../search\" }}\n{}", mark("1"));
    refused(
        &gateway("policies/pay/pay-x.toml", &captures),
        &["capture.directory: the team \"pay\" may not capture faults"],
    );
    let allowed =
        super::gateway(&upstream, &catalogue("captures = \"captures\"")).file("policies/pay/pay-x.toml", &captures);
    refused(&allowed, &["is not below", "where the team \"pay\" may capture faults"]);
    let below = captures.replace("../search", "../../captures/pay");
    let allowed =
        super::gateway(&upstream, &catalogue("captures = \"captures\"")).file("policies/pay/pay-x.toml", below);
    assert_eq!(allowed.check(), Ok(()));
}

#[test]
fn links_to_what_others_have() {
    let upstream = Upstream::start();
    let files = gateway(&upstream, &catalogue(""))
        .file("policies/search/search-x.toml", mark("1"))
        .file("policies/pay/in/a.toml", mark("2"));
    let link = |to: &str, name: &str| {
        let folder = files.folder().path().join("policies/pay");
        std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
    };
    link("in/a.toml", "pay-own.toml");
    assert_eq!(files.check(), Ok(()), "as volumes of Kubernetes are");
    link("../search/search-x.toml", "pay-x.toml");
    link("../../key.txt", "a.routes.toml");
    refused(
        &files,
        &["policies/pay/a.routes.toml: is a link that leads out of the folder of the team \"pay\"; put a copy there"],
    );
    std::fs::remove_file(files.folder().path().join("policies/pay/a.routes.toml")).unwrap();
    refused(&files, &["policies/pay/pay-x.toml: is a link that leads out of the folder of the team \"pay\""]);
}

#[test]
fn catalogues_that_make_no_sense() {
    let upstream = Upstream::start();
    let cases = [
        (
            "[teams.a]\n[teams.b]\npolicies = [\"a-x*\"]\n",
            "catalogue.toml:2: teams.b.policies: overlaps with \"a-*\", the name space of the team \"a\"",
        ),
        ("[teams.a]\npolicies = [\"*\"]\n", "is the name space of everything"),
        ("[teams.\"../a\"]\n", "\"../a\" is no name of a team"),
        ("[teams.a]\nrequire = [\"nothing\"]\n", "catalogue.toml:1: teams.a.require: there is no policy \"nothing\""),
        ("[teams.a]\nroutes = {}\n", "teams.a.routes: says nothing; write hosts, paths or both"),
        ("[teams.a]\nroutes = { paths = [\"pay\"] }\n", "\"pay\" is no pattern of paths"),
        ("[teams.a]\nupstreams = [\"a*b\"]\n", "\"a*b\" is no pattern of names"),
        ("[teams.a]\nquota = { policys = 1 }\n", "unknown key; did you mean \"policies\"?"),
        (
            "[teams.a]\n[filters.api-key]\nvisibility = [\"b\"]\n",
            "filters.api-key.visibility: there is no team \"b\"; known teams: a",
        ),
        ("[filters.api-key]\nvisibility = \"owner\"\n", "filters.api-key.owner: is missing"),
        ("[filters.api-key]\n", "filters.api-key.visibility: is missing"),
        (
            "[filters.api-key]\nvisibility = \"everybody\"\n",
            "\"everybody\" is not known; write \"all\", \"owner\", or a list of teams",
        ),
        ("[filters.x]\nvisibility = \"all\"\n", "there is no bundled filter \"x\"; add module = \"PATH.wasm\""),
        (
            "[filters.x]\nvisibility = \"all\"\nmodule = \"x.wasm\"\n",
            "catalogue.toml:3: filters.x.module: there is no module",
        ),
    ];
    for (catalogue, expected) in cases {
        refused(&gateway(&upstream, catalogue), &[expected]);
    }
    let missing = TestGateway::new().upstream(&upstream).config(CONFIG).word("more", "").file("key.txt", "k");
    refused(
        &missing,
        &["catalogue.toml: cannot be read: there is no such file; write it, or remove the key catalogue"],
    );
}
