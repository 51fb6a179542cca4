//! Stories of scripts in JavaScript.

use std::fs;
use std::path::Path;

use tollgate::filter_test::Tests;
use tollgate_tests::{Folder, Request, TestGateway, Upstream, eventually, target_dir};

use crate::{gateway, seen};

const STAMP: &str = "export function onRequest(request) { request.set('x-stamp', 'one'); }";

#[test]
fn a_file_that_is_dropped_is_live_and_its_next_version_too() {
    let upstream = Upstream::start();
    // What runs scripts is compiled before it starts, however long that takes.
    let gateway = gateway(&upstream, "05-all.js", "export const onRequest = () => {};");
    gateway.replace_file("policies/10-stamp.js", STAMP);
    eventually("the script is live", || seen(&gateway.get("/"), "x-stamp").as_deref() == Some("one"));
    gateway.replace_file("policies/10-stamp.js", STAMP.replace("one", "two"));
    eventually("its next version is", || seen(&gateway.get("/"), "x-stamp").as_deref() == Some("two"));
    gateway.remove("10-stamp.js");
    eventually("it is gone", || seen(&gateway.get("/"), "x-stamp").is_none());
}

#[test]
fn functions_see_and_change_heads_and_answer() {
    let upstream = Upstream::start();
    let script = "import { Reply } from 'tollgate-filter';\n\
        let users;\n\
        export function configure(config) { users = new Set(config.users); }\n\
        export function onRequest(request) {\n\
          const user = request.field('X-User');\n\
          if (!users.has(user)) return Reply.problem(403, 'Forbidden', `${request.method} is not for ${user}`);\n\
          request.set('@subject', user);\n\
          request.set('x-path', request.path);\n\
          request.remove('x-user');\n\
          request.state.user = user;\n\
        }\n\
        export function onResponse(response) {\n\
          response.add('x-seen', `${response.state.user} ${response.field('@subject')} ${response.status}`);\n\
        }\n";
    let gateway = TestGateway::new().upstream(&upstream).file("policies/10-users.js", script);
    let gateway = gateway.policy("10-users", "[config]\nusers = [\"alice\"]").workers(1).start();
    let user = |name: &str| gateway.send(Request::get("/a?b").field("x-user", name));
    let alice = user("alice");
    assert_eq!((alice.status, alice.field("x-seen")), (200, Some("alice alice 200")));
    assert_eq!((seen(&alice, "x-path").as_deref(), seen(&alice, "x-user")), (Some("/a?b"), None));
    let bob = user("bob");
    assert!(bob.status == 403 && bob.text().contains("GET is not for bob"), "{}", bob.text());
}

/// The same files that are compiled elsewhere, held to the same cases; but a script has no schema, and is too slow for large bodies.
#[test]
fn the_examples_of_the_sdk_are_scripts_as_they_are() {
    let folder = Folder::new();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in ["api-key", "counter", "headers", "json-body", "redact"] {
        let read = |path: String| fs::read_to_string(repository.join(path)).unwrap();
        let cases = read(format!("guest-sdk/conformance/{name}.cases.toml"));
        let left_out =
            |case: &&str| case.contains("\"an unknown key is refused\"") || case.contains("\"large bodies pass");
        let cases: Vec<&str> = cases.split("[[cases]]").filter(|case| !left_out(case)).collect();
        folder.write(&format!("{name}.js"), read(format!("examples/js/{name}/src/filter.js")));
        folder.write(&format!("{name}.cases.toml"), format!("filter = \"{name}.js\"\n{}", cases.join("[[cases]]")));
    }
    let report = Tests::of(folder.path()).state_dir(target_dir().join("tmp/stories/state")).run();
    report.assert_passed();
    assert!(report.cases.len() > 35, "{} cases", report.cases.len());
}

#[test]
fn a_syntax_error_is_told_with_its_place_and_the_version_before_it_serves_on() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, "10-stamp.js", STAMP);
    gateway
        .replace_file("policies/10-stamp.js", "export function onRequest(request) {\n  request.set('x-stamp', ];\n}\n");
    eventually("the problem is told", || gateway.policy("10-stamp")["state"] == "kept");
    let told = gateway.relative(&gateway.policy("10-stamp").to_string());
    assert!(told.contains("policies/10-stamp.js:2: ") && told.contains("(column 26)"), "{told}");
    assert_eq!(seen(&gateway.get("/"), "x-stamp").as_deref(), Some("one"));
}

#[test]
fn what_is_wrong_with_a_script_is_said_before_it_serves() {
    let upstream = Upstream::start();
    let folder = |script: &str| TestGateway::new().upstream(&upstream).file("policies/rule.js", script);
    let deep = format!("export const onRequest = {}0{};", "(".repeat(20_000), ")".repeat(20_000));
    for (script, message) in [
        ("import fs from 'fs';\n", "policies/rule.js: TypeError: there is no module \"fs\"; a script is one file,"),
        ("import { Replay } from 'tollgate-filter';\n", "policies/rule.js: SyntaxError: "),
        ("export function onRequst() {}\n", "there is no hook onRequst; hooks are onRequest, "),
        ("export const limit = 1;\n", "there is no hook; export a function with the name of one: onRequest, "),
        ("export const onRequest = 1;\n", "onRequest is no function"),
        (
            "export const interest = { requests: [] };\nexport function onRequest() {}\n",
            "the interest has \"requests\"",
        ),
        ("export function onTick() {}\n", "onTick and tickMs of the interest belong together"),
        ("export default 5;\n", "the default export is no class"),
        (
            "export function onRequest() {}\nexport function configure(config) {\n  throw new Error('limit: is missing');\n}\n",
            "policies/rule.js:3: limit: is missing (column ",
        ),
        (
            "export function onRequest() {\n  if (true) {\n}",
            "policies/rule.js:3: SyntaxError: the script ends too soon",
        ),
        ("eval('1');\n", "policies/rule.js:1: EvalError: code cannot be made of text in a filter"),
        (deep.as_str(), "policies/rule.js"),
    ] {
        let gateway = folder(script);
        let told = gateway.relative(&gateway.check().unwrap_err());
        assert!(told.contains(message), "{script}: {told}");
    }
}

#[test]
fn an_exception_is_a_fault_that_tells_where_it_was() {
    let upstream = Upstream::start();
    let script = "export function onRequest(request) {\n  if (request.path === '/fails') lookUp(request);\n}\n\
        function lookUp(request) {\n  return request.tenant.name;\n}\n";
    let says =
        "export const onRequest = ({ path }) => {\n  if (path === '/says') throw new Error('no such tenant');\n};\n";
    let waits = "export async function onRequest(request) {\n  if (request.path !== '/waits') throw new Error('too soon');\n}\n";
    let gateway = TestGateway::new().upstream(&upstream).file("policies/10-tenant.js", script);
    let gateway = gateway.file("policies/20-says.js", says).run(&[]);
    assert_eq!(["/", "/fails", "/says", "/"].map(|path| gateway.get(path).status), [200, 503, 503, 200]);
    gateway.line(&["TypeError: ", "lookUp at 10-tenant.js:5:", "onRequest at 10-tenant.js:2:"]);
    gateway.line(&["no such tenant", "onRequest at 20-says.js:2:"]);
    let gateway = TestGateway::new().upstream(&upstream).file("policies/30-waits.js", waits).run(&[]);
    assert_eq!(gateway.get("/waits").status, 503);
    gateway.line(&["a head hook has returned what it cannot"]);
}

#[test]
fn what_never_ends_or_takes_all_memory_is_a_fault_and_nothing_else() {
    let upstream = Upstream::start();
    let script = "const down = (n) => n + down(n + 1);\n\
        const through = (n) => [n].map((n) => through(n + 1));\n\
        const bad = {\n  '/loop': () => { for (;;); },\n  '/calls': () => down(0),\n  '/through': () => through(0),\n  '/memory': () => { const all = []; for (;;) all.push('x'.repeat(100000) + all.length); },\n  \
        '/buffer': () => { const all = []; for (;;) all.push(new Uint8Array(1 << 20)); },\n  \
        '/pattern': () => /(a+)+$/.test('a'.repeat(64) + 'b'),\n};\n\
        export function onRequest(request) { bad[request.path]?.(); }\n";
    let gateway = gateway(&upstream, "10-bad.js", script);
    for path in ["/loop", "/calls", "/through", "/memory", "/buffer", "/pattern"] {
        assert_eq!(gateway.get(path).status, 503, "{path}");
        assert_eq!(gateway.get("/").status, 200, "after {path}");
    }
}

#[test]
fn what_a_script_keeps_lasts_as_long_as_its_sandbox() {
    let upstream = Upstream::start();
    let script = "let count = 0;\nexport function onRequest(request) { request.set('x-count', ++count); }\n";
    let counts = |isolation: &str| {
        let gateway = TestGateway::new().upstream(&upstream).file("policies/10-count.js", script);
        let gateway = gateway.policy("10-count", &format!("isolation = \"{isolation}\"")).workers(1).start();
        [(); 3].map(|()| seen(&gateway.get("/"), "x-count").unwrap())
    };
    assert_eq!(counts("shared"), ["1", "2", "3"]);
    assert_eq!(counts("exchange"), ["1", "1", "1"]);
}

#[test]
fn clocks_random_numbers_and_secrets_are_for_those_who_are_granted_them() {
    let upstream = Upstream::start();
    let script = "import { clock, random, secrets } from 'tollgate-filter';\nconst asked = {\n  \
        '/date': () => new Date().getUTCFullYear() > 2025 && clock.now() > 1e12,\n  \
        '/random': () => Math.random() < 1 && random.bytes(4).length === 4,\n  '/secret': () => secrets.get('key') === undefined,\n};\n\
        export function onRequest(request) { request.set('x-said', asked[request.path]?.() ?? 'nothing'); }\n";
    let folder = || TestGateway::new().upstream(&upstream).file("policies/10-asks.js", script);
    let gateway = folder().run(&[]);
    for path in ["/date", "/random"] {
        assert_eq!((gateway.get(path).status, gateway.get("/").status), (503, 200), "{path}");
    }
    gateway.line(&["clock", "grant"]);
    let gateway = folder().policy("10-asks", "grants = { clock = true, random = true }").start();
    for path in ["/date", "/random", "/secret"] {
        assert_eq!(seen(&gateway.get(path), "x-said").as_deref(), Some("true"), "{path}");
    }
}

#[test]
fn limits_metrics_and_lines_of_log_are_the_gateways() {
    let upstream = Upstream::start();
    let script = "import { Reply, limiter, log, metrics } from 'tollgate-filter';\n\
        const asked = metrics.counter('asked_total', 'requests by method', { labels: ['method'] });\n\
        const limit = { requests: 2, periodMs: 3600000, burst: 2 };\n\
        export function onRequest(request) {\n  asked.of(request.method).add();\n  \
        const made = limiter.take(request.field('@client-address'), limit);\n  if (made.allowed) return;\n  \
        log.warn('too many', { after: made.retryAfterMs > 0 });\n  return new Reply(429, 'slow down', { 'x-limit': 'yes' });\n}\n";
    let gateway = gateway(&upstream, "10-limit.js", script);
    let answers = [(); 3].map(|()| gateway.get("/").status);
    assert_eq!(answers, [200, 200, 429]);
    assert_eq!(gateway.metric("tollgate_filter_asked_total{policy=\"10-limit\",method=\"GET\"}"), 3.0);
}

#[test]
fn an_object_of_an_earlier_exchange_reaches_nothing() {
    let upstream = Upstream::start();
    let script = "let first;\nexport function onRequest(request) {\n  first ??= request;\n  request.set('x-first', first.path);\n}\n";
    let gateway = gateway(&upstream, "10-keeps.js", script);
    assert_eq!([gateway.get("/a").status, gateway.get("/b").status], [200, 503]);
}

#[test]
fn memory_is_given_back_from_exchange_to_exchange() {
    let upstream = Upstream::start();
    let script = "import { decode, encode } from 'tollgate-filter';\nexport const interest = { wholeRequestBody: true };\n\
        export function onRequestBody(request, piece) {\n  const text = decode(piece.content);\n  \
        request.set('x-length', text.length);\n  return encode(text + '!');\n}\n";
    let gateway = gateway(&upstream, "10-length.js", script);
    // All of these together are more than the script has room for.
    let body = "word ".repeat(20_000);
    for number in 0..200 {
        let answer = gateway.send(Request::new("POST", "/").body(body.as_str()));
        assert_eq!((answer.status, seen(&answer, "x-length").as_deref()), (200, Some("100000")), "{number}");
    }
    assert_eq!(gateway.metric("tollgate_filter_recycled_total{policy=\"10-length\"}"), 0.0);
}
