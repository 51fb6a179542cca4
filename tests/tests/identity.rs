//! Stories of identities and classes: a filter says who a request is made for and of what kind it is, others read it, the
//! upstream is told, the route chooses by it, and no client can say it.

#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::{Answer, Request, RunningGateway, TestGateway, Upstream, guest};

const ALICE: &str = "alice of https://login.example called alice: read+write | staff+R&D, Berlin | a@b.example";

/// A route with these policies of the guest, each with what it does, and more keys.
fn gateway(upstream: &Upstream, deeds: &[&str], route: &str) -> RunningGateway {
    let names: Vec<_> = deeds.iter().map(|deed| format!("{deed:?}")).collect();
    let policies = deeds.iter().fold(String::new(), |text, deed| {
        text + &format!("[policies.{deed}]\nfilter = \"login.wasm\"\nconfig = {{ do = {deed:?} }}\n")
    });
    let config = format!(
        "[[listeners]]\naddress = \"{{listen}}\"\n[upstreams.main]\nendpoints = [\"{{upstream}}\"]\n{policies}\
         [[routes]]\nupstream = \"main\"\npolicies = [{}]\n{route}\n",
        names.join(", ")
    );
    TestGateway::new().upstream(upstream).file("login.wasm", guest("identity")).config(&config).workers(1).start()
}

#[test]
fn later_filters_and_response_hooks_read_what_a_filter_has_found_out() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, &["set", "tell"], "");
    let response = gateway.send(Request::get("/").field("x-login", "alice"));
    assert_eq!(response.field("x-known"), Some(ALICE));
    assert_eq!(response.echo().field("x-known"), Some(ALICE));
    let response = gateway.get("/");
    assert_eq!(response.field("x-known"), Some("nobody, class false"));
}

#[test]
fn no_client_can_say_who_it_is() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, &["tell"], "");
    let names = ["consumer", "subject", "issuer", "scopes", "groups", "class", "claim:eMail", "attr:plan"];
    for name in names {
        for spelled in [format!("@{name}"), format!("x-{name}"), format!(":{name}"), name.to_owned()] {
            let mut connection = gateway.connect();
            connection.write(format!("GET / HTTP/1.1\r\nhost: a\r\n{spelled}: admin\r\n\r\n"));
            let response = connection.response();
            // What is no name of a field is refused.
            let known = if response.status == 200 { response.field("x-known") } else { None };
            let refused = response.status == 400 && spelled.contains(['@', ':']);
            assert!(refused || known == Some("nobody, class false"), "{spelled}: {response:?}");
        }
    }
}

#[test]
fn nothing_can_be_said_of_nobody() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, &["add"], "");
    assert_eq!(gateway.get("/").status, 503);
    assert_eq!(gateway.metric(r#"tollgate_filter_faults_total{policy="add",class="answer"}"#), 1.0);
}

mod upstreams {
    use super::*;

    const FIELDS: &str = r#"forward-identity = { subject = "x-user", issuer = "x-issuer", scopes = "x-scopes",
        groups = "x-groups", consumer = "x-consumer", claims = { eMail = "x-email" } }"#;
    const NAMES: [&str; 6] = ["x-user", "x-issuer", "x-scopes", "x-groups", "x-consumer", "x-email"];

    #[test]
    fn are_told_only_where_the_route_says_so() {
        let upstream = Upstream::start();
        let login = || Request::get("/").field("x-login", "alice");
        let told = gateway(&upstream, &["set"], FIELDS.replace('\n', "").as_str()).send(login()).echo();
        let values = NAMES.map(|name| told.field(name));
        let expected = ["alice", "https://login.example", "read write", "staff, R&D, Berlin", "alice", "a@b.example"];
        assert_eq!(values, expected.map(Some));
        let told = gateway(&upstream, &["set"], "").send(login()).echo();
        assert_eq!(NAMES.map(|name| told.field(name)), [None; 6]);
    }

    #[test]
    fn are_told_nothing_that_a_client_or_another_filter_says() {
        let upstream = Upstream::start();
        let route = FIELDS.replace('\n', "");
        for deeds in [["set", "tell"].as_slice(), &["forge", "set"], &[]] {
            let gateway = gateway(&upstream, deeds, &route);
            let forged = NAMES.iter().fold(Request::get("/"), |request, name| {
                request
                    .field(name, "admin")
                    .field(&name.replace('-', "_"), "admin")
                    .field(&name.to_uppercase(), "admin")
            });
            let told = gateway.send(forged).echo();
            for name in NAMES {
                assert_eq!((told.field(name), told.field(&name.replace('-', "_"))), (None, None), "{deeds:?} {name}");
            }
        }
    }

    #[test]
    fn are_told_in_fields_that_mean_nothing_else() {
        let config = |fields: &str| {
            let text = format!(
                "[[listeners]]\naddress = \"{{listen}}\"\n[upstreams.main]\nendpoints = [\"127.0.0.1:1\"]\n\
                 [[routes]]\nupstream = \"main\"\nforward-identity = {fields}\n"
            );
            TestGateway::new().config(&text).check().unwrap_err()
        };
        for (fields, message) in [
            ("{}", "forward-identity: tells the upstream nothing; write forward-identity = { subject = \"x-user\" }"),
            ("{ subject = \"host\" }", "subject: host has another meaning; name a field such as \"x-user\""),
            ("{ subject = \"x_user\" }", "subject: \"x_user\" has an underscore; write letters, digits and dashes"),
            ("{ subject = \"x-a\", issuer = \"X-A\" }", "issuer: x-a tells something else already; name another field"),
            ("{ user = \"x-a\" }", "unknown key"),
        ] {
            let said = config(fields);
            assert!(said.contains(message), "{fields}: {said}");
        }
    }
}

#[test]
fn the_log_says_who_it_was() {
    let upstream = Upstream::start();
    let policy = "filter = \"login\"\nconfig = { do = \"set\" }";
    let gateway = TestGateway::new().upstream(&upstream).module("login", guest("identity")).policy("10-login", policy);
    let gateway = gateway.run(&["--access-log"]);
    let mut connection = tollgate_tests::Connection::open(gateway.address());
    assert_eq!(connection.request(Request::get("/").field("x-login", "alice")).status, 200);
    let line = gateway.line(&["access", "alice"]);
    assert!(line.contains("https://login.example"), "{line}");
}

mod routes {
    use super::*;

    fn config(split: &str) -> String {
        format!(
            "[[listeners]]\naddress = \"{{listen}}\"\n[upstreams.a]\nendpoints = [\"{{a}}\"]\n\
             [upstreams.b]\nendpoints = [\"{{b}}\"]\n[policies.set]\nfilter = \"login.wasm\"\nconfig = {{ do = \"set\" }}\n\
             [[routes]]\nsplit = {split}\npolicies = [\"set\"]\n"
        )
    }

    #[test]
    fn choose_by_the_class_that_a_filter_gives() {
        let upstreams = ["a", "b"].map(|name| Upstream::answering(Answer::ok(name)));
        let gateway = TestGateway::new()
            .word("a", &upstreams[0].address().to_string())
            .word("b", &upstreams[1].address().to_string())
            .file("login.wasm", guest("identity"))
            .config(&config("{ by-class = { canary = \"b\" }, default = \"a\" }"))
            .start();
        for (class, expected) in [("canary", "b"), ("Canary", "a"), ("other", "a")] {
            assert_eq!(gateway.send(Request::get("/").field("x-class", class)).text(), expected, "{class}");
        }
        assert_eq!(gateway.get("/").text(), "a");
        let shown = gateway.admin("/routes").text();
        assert!(shown.contains("by-class"), "{shown}");
    }

    #[test]
    fn name_upstreams_that_there_are() {
        let check = |split: &str| {
            let text = config(split).replace("{a}", "127.0.0.1:1").replace("{b}", "127.0.0.1:1");
            TestGateway::new().file("login.wasm", guest("identity")).config(&text).check().unwrap_err()
        };
        for (split, message) in [
            ("{ by-class = { canary = \"c\" }, default = \"a\" }", "there is no upstream \"c\""),
            ("{ by-class = { canary = \"b\" } }", "add default = \"NAME\""),
            (
                "{ default = \"a\" }",
                "has no class; write split = { by-class = { CLASS = \"NAME\" }, default = \"NAME\" }",
            ),
            ("{ by-class = { a = \"b\" }, default = \"a\", weight = 1 }", "unknown key"),
        ] {
            let said = check(split);
            assert!(said.contains(message), "{split}: {said}");
        }
    }
}

mod limits {
    use super::*;

    const POLICIES: &str = r#"
        policies-dir = "policies"
        [[listeners]]
        address = "{listen}"
        [upstreams.all]
        endpoints = ["{upstream}"]
        [policies.key]
        filter = "api-key"
        config = { keys = [{ consumer = "alice", sha256 = "72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20" }, { consumer = "bob", sha256 = "9b94dc1a51a38769f135edf04033ad7f2f487b6c25929be7a861cfc1ab10cf98" }] }
        [policies.limit]
        filter = "rate-limit"
        config = { requests = 2, per = "1h", key = "subject" }
        [[routes]]
        policies = ["key", "limit"]
        upstream = "all"
    "#;

    #[test]
    fn count_by_subject_wherever_its_requests_come_from() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).config(POLICIES).workers(1).start();
        let with = |key: &str| gateway.send(Request::get("/").field("x-api-key", key)).status;
        assert_eq!([with("alice-key"), with("alice-key"), with("alice-key")], [200, 200, 429]);
        assert_eq!([with("bob-key"), with("nobody's")], [200, 401]);
    }
}
