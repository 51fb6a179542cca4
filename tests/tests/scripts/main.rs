//! Stories of policies that are scripts: dropped into the directory they are live, and what is wrong in them is said with its place.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

mod js;
mod rego;

use std::path::Path;

use tollgate::filter_test::Tests;
use tollgate_tests::{Request, Response, RunningGateway, TestGateway, Upstream, eventually, target_dir};

/// A gateway with one script.
fn gateway(upstream: &Upstream, file: &str, script: &str) -> RunningGateway {
    TestGateway::new().upstream(upstream).file(&format!("policies/{file}"), script).workers(1).start()
}

fn seen(response: &Response, field: &str) -> Option<String> {
    response.echo().field(field).map(ToOwned::to_owned)
}

/// The policy that knows alice and bob.
const API_KEY: &str = "filter = \"api-key\"\n[config]\nheader = \"x-api-key\"\nkeys = [\n\
    { consumer = \"alice\", sha256 = \"2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90\" },\n\
    { consumer = \"bob\", sha256 = \"81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9\" }]\n";

/// It does all that a decision can say: what is allowed has other fields, both ways, and what is denied an answer of its own.
fn assert_it_says_all(gateway: &RunningGateway) {
    let allowed = gateway.send(Request::get("/").field("x-old", "1"));
    assert_eq!((allowed.status, allowed.field("x-seen")), (200, Some("127.0.0.1")));
    assert!(seen(&allowed, "x-rule").is_some() && seen(&allowed, "x-old").is_none());
    let denied = gateway.send(Request::new("DELETE", "/"));
    assert_eq!((denied.status, denied.text().as_str()), (405, "kept"));
    assert!(denied.field("x-rule").is_some());
}

const STAMP: &str = "{'allowed': true, 'headers': {'x-stamp': 'one'}}";

#[test]
fn a_file_that_is_dropped_is_a_policy_and_its_next_version_serves_as_soon_as_it_is_there() {
    let upstream = Upstream::start();
    // What runs scripts is compiled before it starts, however long that takes.
    let gateway = gateway(&upstream, "05-all.cel", "true");
    gateway.replace_file("policies/10-stamp.cel", STAMP);
    eventually("the script is live", || seen(&gateway.get("/"), "x-stamp").as_deref() == Some("one"));
    gateway.replace_file("policies/10-stamp.cel", STAMP.replace("one", "two"));
    eventually("its next version is", || seen(&gateway.get("/"), "x-stamp").as_deref() == Some("two"));
    gateway.remove("10-stamp.cel");
    eventually("it is gone", || seen(&gateway.get("/"), "x-stamp").is_none());
}

#[test]
fn an_expression_decides_who_passes() {
    let upstream = Upstream::start();
    let rule = "// Whoever reads, and the users.\n\
        request.method == 'GET' && request.url_path.startsWith('/open')\n  || request.headers['x-user'] in config.users\n";
    let gateway = TestGateway::new().upstream(&upstream).file("policies/10-rule.cel", rule);
    let gateway = gateway.policy("10-rule", "[config]\nusers = [\"alice\"]").start();
    let user = |name: &str| gateway.send(Request::get("/").field("x-user", name)).status;
    for _ in 0..2 {
        assert_eq!((gateway.get("/open/a?b").status, user("alice"), user("bob")), (200, 200, 403));
    }
}

#[test]
fn a_text_is_a_reason_and_a_map_says_more() {
    let upstream = Upstream::start();
    let rule = "request.query != '' ? (request.path.contains('secret') ? 'no secrets' : '') : {\n\
        'allowed': request.method != 'DELETE', 'http_status': 405, 'body': 'kept', 'headers': {'x-rule': request.host},\n\
        'request_headers_to_remove': ['x-old'], 'response_headers_to_add': {'x-seen': source.address}\n}";
    let gateway = gateway(&upstream, "10-rule.cel", rule);
    assert_eq!(gateway.get("/?a").status, 200);
    let refused = gateway.get("/?secret");
    assert!(refused.status == 403 && refused.text().contains("no secrets"), "{}", refused.text());
    assert_it_says_all(&gateway);
}

#[test]
fn what_earlier_filters_have_found_out_is_known() {
    let upstream = Upstream::start();
    let rule = "has(identity.consumer) && identity.consumer == 'alice' && !('admin' in identity.groups)\n\
        && !('email' in identity.claims) && identity.scopes.size() == 0 && source.port > 0 && !connection.mtls";
    let gateway =
        TestGateway::new().upstream(&upstream).policy("10-key", API_KEY).file("policies/20-rule.cel", rule).start();
    let with = |key: &str| gateway.send(Request::get("/").field("x-api-key", key)).status;
    assert_eq!((with("alice"), with("bob"), with("nobody")), (200, 403, 401));
}

#[test]
fn a_syntax_error_is_told_with_its_place_and_the_version_before_it_serves_on() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, "10-rule.cel", "request.path == '/'");
    gateway.replace_file("policies/10-rule.cel", "request.path == '/'\n  && (request.method == ]");
    eventually("the problem is told", || gateway.policy("10-rule")["state"] == "kept");
    let told = gateway.relative(&gateway.policy("10-rule").to_string());
    assert!(told.contains("policies/10-rule.cel:2: ") && told.contains("(column 25)"), "{told}");
    assert_eq!((gateway.get("/").status, gateway.get("/a").status), (200, 403));
}

#[test]
fn what_is_wrong_with_a_script_is_said_before_it_serves() {
    let upstream = Upstream::start();
    let folder = |script: &str| TestGateway::new().upstream(&upstream).file("policies/rule.cel", script);
    let deep = format!("{}true{}", "(".repeat(10_000), ")".repeat(10_000));
    for (script, message) in [
        (
            "requests.path == '/'",
            "policies/rule.cel: there is no variable \"requests\"; variables are request, source,",
        ),
        ("request.pfad == '/'", "policies/rule.cel: request has no \"pfad\"; it has method, path,"),
        ("'X-User' in request.headers", "write \"x-user\" instead of \"X-User\""),
        ("request.headers['@subject'] == 'a'", "\"@subject\" is no name of a header field"),
        ("identity.claims.size() == 0", "a claim is looked up by a name in quotes"),
        ("", "policies/rule.cel:1: "),
        (deep.as_str(), "policies/rule.cel"),
    ] {
        let gateway = folder(script);
        let told = gateway.relative(&gateway.check().unwrap_err());
        assert!(told.contains(message), "{told}");
    }
    folder("request.headers.exists(name, name == 'x')").check().unwrap();
}

#[test]
fn an_expression_that_fails_is_a_fault_that_tells_why_and_no_value() {
    let upstream = Upstream::start();
    let rule = "request.path != '/fails' || request.headers['x-user'] == ''";
    let gateway = TestGateway::new().upstream(&upstream).file("policies/10-check.cel", rule);
    let gateway = gateway.file("policies/20-word.cel", "request.path != '/word' || config.word / 2 == 1");
    let gateway = gateway.policy("20-word", "[config]\nword = \"opensesame\"").run(&[]);
    assert_eq!((gateway.get("/").status, gateway.get("/fails").status, gateway.get("/word").status), (200, 503, 503));
    gateway.line(&["10-check.cel: No such key: x-user"]);
    let line = gateway.line(&["20-word.cel: ", "div is not there"]);
    assert!(!line.contains("opensesame"), "{line}");
    assert_eq!(gateway.get("/").status, 200);
}

#[test]
fn what_takes_too_long_or_all_memory_is_a_fault_and_nothing_else() {
    let upstream = Upstream::start();
    let numbers = "[0,1,2,3,4,5,6,7,8,9]";
    let all = |inner: &str| {
        ["a", "b", "c", "d", "e", "f", "g"]
            .iter()
            .fold(inner.to_owned(), |inner, name| format!("{numbers}.all({name}, {inner})"))
    };
    let doubled =
        (0..12).fold("request.path".to_owned(), |text, _| format!("[{text}].map(t, t + t + t + t + t + t + t + t)[0]"));
    let rule =
        format!("request.path == '/loop' ? {} : request.path == '/memory' ? {doubled} == '' : true", all("a < 10"));
    let gateway = gateway(&upstream, "10-bad.cel", &rule);
    for path in ["/loop", "/memory"] {
        assert_eq!(gateway.get(path).status, 503, "{path}");
        assert_eq!(gateway.get("/").status, 200, "after {path}");
    }
}

#[test]
fn an_exchange_can_have_a_sandbox_of_its_own() {
    let upstream = Upstream::start();
    let gateway =
        TestGateway::new().upstream(&upstream).file("policies/10-rule.cel", "request.headers['x-user'] == 'alice'");
    let gateway = gateway.policy("10-rule", "isolation = \"exchange\"").workers(1).start();
    let user = |name: &str| gateway.send(Request::get("/").field("x-user", name)).status;
    assert_eq!([user("alice"), user("bob"), user("alice")], [200, 403, 200]);
}

#[test]
fn two_kinds_of_code_under_one_name_are_refused() {
    let upstream = Upstream::start();
    let gateway =
        TestGateway::new().upstream(&upstream).file("policies/guard.cel", STAMP).file("policies/guard.wasm", "");
    let told = gateway.check().unwrap_err();
    assert!(told.contains("the policy has more than one code: guard.cel and guard.wasm; remove or rename"), "{told}");
}

#[test]
fn the_examples_keep_the_cases_beside_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scripts");
    let report = Tests::of(folder).state_dir(target_dir().join("tmp/stories/state")).run();
    report.assert_passed();
    assert!(report.cases.len() >= 7, "{} cases", report.cases.len());
}
