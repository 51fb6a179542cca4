//! Stories of policies in Rego: they decide by the input that OPA's plugin for Envoy gives, and what is wrong in them is said with its place.

use tollgate_tests::{Request, TestGateway, Upstream, eventually};

use crate::{API_KEY, assert_it_says_all, gateway};

/// Reading orders is for everybody, and all else for users.
const ORDERS: &str = "package envoy.authz\n\nimport input.attributes.request.http as http_request\n\n\
    default allow := false\n\nallow if {\n\thttp_request.method == \"GET\"\n\tinput.parsed_path[0] == \"orders\"\n}\n\n\
    allow if http_request.headers[\"x-user\"] in data.config.users\n";

#[test]
fn a_module_decides_who_passes_and_its_next_version_serves_as_soon_as_it_is_there() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).file("policies/10-rules.rego", ORDERS);
    let gateway = gateway.policy("10-rules", "[config]\nusers = [\"alice\"]").start();
    let user = |name: &str| gateway.send(Request::get("/").field("x-user", name)).status;
    for _ in 0..2 {
        assert_eq!((gateway.get("/orders/1?a=b").status, gateway.get("/").status), (200, 403));
        assert_eq!((gateway.get("/%6frders").status, gateway.get("/orders%").status), (200, 400));
        assert_eq!((user("alice"), user("bob")), (200, 403));
    }
    gateway.replace_file("policies/10-rules.rego", ORDERS.replace("\"orders\"", "\"bills\""));
    eventually("the next version is live", || gateway.get("/bills").status == 200);
    assert_eq!(gateway.get("/orders").status, 403);
    gateway.remove("10-rules.rego");
    gateway.remove("10-rules.toml");
    eventually("it is gone", || gateway.get("/").status == 200);
}

#[test]
fn an_object_says_more() {
    let upstream = Upstream::start();
    let rules = "package tollgate\n\nimport input.attributes.request.http\n\n\
        result[\"allowed\"] := http.method != \"DELETE\"\nresult.http_status := 405\nresult.body := \"kept\"\n\
        result.headers[\"x-rule\"] := http.host\nresult.request_headers_to_remove := [\"x-old\"]\n\
        result.response_headers_to_add := {\"x-seen\": input.attributes.source.address.socketAddress.address}\n\nallow := false\n";
    let gateway = gateway(&upstream, "10-rules.rego", rules);
    assert_it_says_all(&gateway);
}

#[test]
fn the_input_has_what_the_request_is_and_what_earlier_filters_have_found_out() {
    let upstream = Upstream::start();
    let rules = "package rules\n\nallow if {\n\
        input.identity.consumer == \"alice\"\n not \"admin\" in input.identity.groups\n not input.identity.claims.email\n\
        count(input.identity.scopes) == 0\n not input.connection.mtls\n not input.attributes.source.principal\n\
        input.attributes.source.address.socketAddress.portValue > 0\n input.gateway.route == \"route-1\"\n\
        input.parsed_query.a == [\"1\", \"2\"]\n input.attributes.request.http.query == \"a=1&a=2\"\n\
        every name in [\"x-api-key\", \":path\"] { input.attributes.request.http.headers[name] }\n\
        net.cidr_contains(\"127.0.0.0/8\", input.attributes.source.address.socketAddress.address)\n\
        regex.match(`^/a\\?`, input.attributes.request.http.path)\n glob.match(\"*.test\", [\".\"], input.attributes.request.http.host)\n}\n";
    let key = format!("{API_KEY}forward = true\n");
    let gateway = TestGateway::new().upstream(&upstream).policy("10-key", &key).file("policies/20-rules.rego", rules);
    let gateway = gateway.start();
    let with = |key: &str, path: &str| gateway.send(Request::get(path).field("x-api-key", key)).status;
    assert_eq!((with("alice", "/a?a=1&a=2"), with("alice", "/a?a=1"), with("bob", "/a?a=1&a=2")), (200, 403, 403));
}

#[test]
fn what_is_remembered_is_only_given_to_requests_that_look_the_same() {
    let upstream = Upstream::start();
    let rules =
        "package a\n\nallow if object.get(input.attributes.request.http.headers, \"x-user\", \"alice\") == \"alice\"\n";
    let gateway = gateway(&upstream, "10-rules.rego", rules);
    let user = |name: &str| gateway.send(Request::get("/").field("x-user", name)).status;
    for _ in 0..50 {
        assert_eq!((user("alice"), user("bob"), gateway.get("/").status), (200, 403, 200));
    }
    let remembered = gateway.metric("tollgate_filter_remembered_total{policy=\"10-rules\"}");
    assert!(remembered > 0.0, "{remembered}");
}

#[test]
fn a_syntax_error_is_told_with_its_place_and_the_version_before_it_serves_on() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, "10-rules.rego", &ORDERS.replace("data.config.users", "[\"alice\"]"));
    gateway.replace_file("policies/10-rules.rego", ORDERS.replace("== \"orders\"", "=== \"orders\""));
    eventually("the problem is told", || gateway.policy("10-rules")["state"] == "kept");
    let told = gateway.relative(&gateway.policy("10-rules").to_string());
    assert!(told.contains("policies/10-rules.rego:9: ") && told.contains("(column "), "{told}");
    assert_eq!((gateway.get("/orders").status, gateway.get("/").status), (200, 403));
}

#[test]
fn what_is_wrong_with_a_module_is_said_before_it_serves() {
    let upstream = Upstream::start();
    let rule = |rule: &str| format!("package a\n\nallow if {rule}\n");
    let deep = rule(&format!("{}true{}", "(".repeat(10_000), ")".repeat(10_000)));
    for (module, message) in [
        (
            rule("input.pfad == 1").as_str(),
            "rule.rego:3: input has no \"pfad\"; it has attributes, connection, gateway, identity,",
        ),
        (&rule("input.identity.name"), "input.identity has no \"name\"; it has claims, consumer, groups, issuer,"),
        (&rule("input.parsed_body.a"), "input has no \"parsed_body\""),
        (&rule("input.attributes.request.http.headers[\"X-User\"]"), "write \"x-user\" instead of \"X-User\""),
        (&rule("input.identity.claims[_] == 1"), "a claim is looked up by its name"),
        (&rule("data.users[_] == 1"), "data has no \"users\": it has config"),
        (&rule("time.now_ns() > 0"), "rule.rego:3: time.now_ns is not there: what is decided depends on the request"),
        (&rule("http.send({}).status_code == 200"), "http.send is not there: "),
        (&rule("rand.intn(\"a\", 2) == 0"), "rand.intn is not there: "),
        (&rule("io.jwt.decode(\"a\")"), "rule.rego:3: there is no function io.jwt.decode"),
        (&rule("x > 1"), "rule.rego:3: "),
        ("package a\n\nallow { true }\n", "rule.rego:3: "),
        ("package a\n\nb := 1\n", "rule.rego: data.a has neither a rule `allow` nor a rule `result`"),
        ("", "rule.rego"),
        (&deep, "rule.rego"),
    ] {
        let gateway = TestGateway::new().upstream(&upstream).file("policies/rule.rego", module);
        let told = gateway.relative(&gateway.check().unwrap_err());
        assert!(told.contains(message), "{told}\n{}", &module[..module.len().min(200)]);
    }
    let functions = "package a\n\nis_own(x) if x == 1\n\nallow if { is_own(1); data.a.is_own(1); print(\"a\") }\n";
    TestGateway::new().upstream(&upstream).file("policies/rule.rego", functions).check().unwrap();
}

#[test]
fn what_fails_is_undefined_and_a_module_that_says_two_things_is_a_fault_that_tells_no_value() {
    let upstream = Upstream::start();
    let rules = "package a\n\nimport input.parsed_query\n\nallow := parsed_query.a[0]\n\
        allow := parsed_query.b[0]\nallow if count(parsed_query.c) / 0 == 1\n";
    let gateway = TestGateway::new().upstream(&upstream).file("policies/10-rules.rego", rules).run(&[]);
    assert_eq!(gateway.get("/?c").status, 403);
    assert!(gateway.get("/?a=opensesame").text().contains("opensesame"), "a text is the reason");
    assert_eq!(gateway.get("/?a=opensesame&b=2").status, 503);
    let line = gateway.line(&["10-rules.rego:", "rule conflicts with rule"]);
    assert!(!line.contains("opensesame"), "{line}");
}

#[test]
fn what_takes_too_long_or_all_memory_is_a_fault_and_nothing_else() {
    let upstream = Upstream::start();
    let rules = "package a\n\nimport input.attributes.request.http\n\nallow if http.path == \"/\"\n\n\
        allow if {\n\thttp.path == \"/loop\"\n\tsome a in numbers.range(0, 9999)\n\tsome b in numbers.range(0, 9999)\n\ta * b < 0\n}\n\n\
        allow if {\n\thttp.path == \"/memory\"\n\tcount([x | some a in numbers.range(0, 9999999); x := sprintf(\"%d\", [a])]) == 0\n}\n";
    let gateway = gateway(&upstream, "10-rules.rego", rules);
    for path in ["/loop", "/memory"] {
        assert_eq!(gateway.get(path).status, 503, "{path}");
        assert_eq!(gateway.get("/").status, 200, "after {path}");
    }
}

#[test]
fn an_exchange_can_have_a_sandbox_of_its_own() {
    let upstream = Upstream::start();
    let rules = ORDERS.replace("data.config.users", "[\"alice\"]");
    let gateway = TestGateway::new().upstream(&upstream).file("policies/10-rules.rego", &rules);
    let gateway = gateway.policy("10-rules", "isolation = \"exchange\"").workers(1).start();
    let user = |name: &str| gateway.send(Request::get("/").field("x-user", name)).status;
    assert_eq!([user("alice"), user("bob"), user("alice")], [200, 403, 200]);
}
