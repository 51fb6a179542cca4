//! Stories of filters that say that their head hooks are pure: what they answered to the same facts is not asked again.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use tollgate_tests::{RawFilter, Request, RunningGateway, TestGateway, Upstream, eventually};

/// A filter that is not what it says: it sets `x-seen` to how often it was called, so that one sees when it is not.
fn counting(manifest: &str, imports: &str, before: &str) -> Vec<u8> {
    let head = format!(
        "{before} (i32.store8 (i32.const 4200) (i32.add (i32.const 48) (i32.load8_u (i32.const 5000))))
         (i32.store8 (i32.const 5000) (i32.add (i32.const 1) (i32.load8_u (i32.const 5000))))
         (i32.store (i32.const 2076) (i32.const 4300)) (i32.store (i32.const 2080) (i32.const 1)) (i32.const 2048)"
    );
    // It subscribes to the fact `x-ask`. One edit: set, "x-seen", the byte at 4200.
    let data = r#"(data (i32.const 1032) "\10\11\00\00\01\00\00\00") (data (i32.const 4368) "\18\11\00\00\05\00\00\00x-ask")
        (data (i32.const 4100) "x-seen")
        (data (i32.const 4300) "\00\00\00\00\04\10\00\00\06\00\00\00\68\10\00\00\01\00\00\00")"#;
    let filter = RawFilter::new(1).fields(imports).fields(data).export("on-request-head", &head);
    filter.section("tollgate:manifest", manifest).build()
}

const PURE: &str = r#"{ "format": 1, "name": "counting", "version": "1", "pure": true }"#;
const IMPURE: &str = r#"{ "format": 1, "name": "counting", "version": "1" }"#;

fn gateway(upstream: &Upstream, module: Vec<u8>, policy: &str) -> RunningGateway {
    let policy = format!("filter = \"counting\"\n{policy}");
    TestGateway::new().upstream(upstream).module("counting", module).policy("10-c", &policy).workers(1).start()
}

fn seen(gateway: &RunningGateway, asks: &[&str]) -> String {
    let one = |ask: &&str| {
        gateway.send(Request::get("/").field("x-ask", ask)).echo().field("x-seen").unwrap_or_default().to_owned()
    };
    asks.iter().map(one).collect()
}

#[test]
fn the_same_facts_have_the_same_answer_without_a_call() {
    let upstream = Upstream::start();
    let asks = ["a", "a", "b", "a", "b"];
    let pure = gateway(&upstream, counting(PURE, "", ""), "");
    assert_eq!(seen(&pure, &asks), "00101");
    assert_eq!(pure.metric("tollgate_filter_remembered_total{policy=\"10-c\"}"), 3.0);
    assert_eq!(pure.metric("tollgate_filter_calls_total{policy=\"10-c\"}"), 2.0);
    let impure = gateway(&upstream, counting(IMPURE, "", ""), "");
    assert_eq!(seen(&impure, &asks), "01234");
    assert_eq!(impure.metric("tollgate_filter_remembered_total{policy=\"10-c\"}"), 0.0);
}

#[test]
fn what_it_has_asked_the_gateway_for_is_not_remembered() {
    let upstream = Upstream::start();
    let clock = "(import \"tollgate:filter/clock@0.1.0\" \"now\" (func $now (result i64)))";
    let asking = counting(PURE, clock, "(drop (call $now))");
    let gateway = gateway(&upstream, asking, "grants = { clock = true }");
    assert_eq!(seen(&gateway, &["a", "a", "a"]), "012");
}

#[test]
fn exchanges_that_share_nothing_share_what_is_remembered() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, counting(PURE, "", ""), "isolation = \"exchange\"");
    assert_eq!(seen(&gateway, &["a", "a"]), "00");
    assert_eq!(gateway.metric("tollgate_filter_remembered_total{policy=\"10-c\"}"), 1.0);
}

#[test]
fn another_configuration_is_another_filter() {
    let upstream = Upstream::start();
    let stamp = |value: &str| format!("trial = false\n[config.request.set]\nx-stamp = \"{value}-{{header:x-ask}}\"\n");
    let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", &stamp("old")).workers(1).start();
    let stamped = || gateway.send(Request::get("/").field("x-ask", "a")).echo().field("x-stamp").map(str::to_owned);
    assert_eq!([stamped(), stamped()], [Some("old-a".to_owned()), Some("old-a".to_owned())]);
    assert_eq!(gateway.metric("tollgate_filter_remembered_total{policy=\"10-headers\"}"), 1.0);
    gateway.write_policy("10-headers", &stamp("new"));
    eventually("the change is live", || stamped().as_deref() == Some("new-a"));
}

#[test]
fn however_many_facts_there_are_each_has_its_own_answer() {
    let upstream = Upstream::start();
    let stamp = "[config.request.set]\nx-stamp = \"{header:x-ask}\"\n";
    let gateway = TestGateway::new().upstream(&upstream).policy("10-headers", stamp).workers(1).start();
    for round in 0..3 {
        for number in 0..150 {
            let ask = number.to_string();
            let echo = gateway.send(Request::get("/").field("x-ask", &ask)).echo();
            assert_eq!(echo.field("x-stamp"), Some(ask.as_str()), "round {round}");
        }
    }
    // Two that come again and again are found, even after many that never came again.
    let remembered = || gateway.metric("tollgate_filter_remembered_total{policy=\"10-headers\"}");
    let before = remembered();
    eventually("they are remembered", || {
        for ask in ["a", "b"] {
            assert_eq!(gateway.send(Request::get("/").field("x-ask", ask)).echo().field("x-stamp"), Some(ask));
        }
        remembered() > before + 20.0
    });
}

#[test]
fn a_key_that_is_taken_back_opens_nothing_any_more() {
    let upstream = Upstream::start();
    let keys = |consumers: &str| format!("trial = false\n[config]\nkeys = [{consumers}]\n");
    let alice =
        r#"{ consumer = "alice", sha256 = "72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20" },"#;
    let bob = r#"{ consumer = "bob", sha256 = "9b94dc1a51a38769f135edf04033ad7f2f487b6c25929be7a861cfc1ab10cf98" }"#;
    let both = keys(&format!("{alice}{bob}"));
    let gateway = TestGateway::new().upstream(&upstream).policy("10-api-key", &both).workers(1).start();
    let status = |key: &str| gateway.send(Request::get("/").field("x-api-key", key)).status;
    assert_eq!([status("alice-key"), status("alice-key"), status("bob-key")], [200, 200, 200]);
    assert_eq!(gateway.metric("tollgate_filter_remembered_total{policy=\"10-api-key\"}"), 1.0);
    gateway.write_policy("10-api-key", &keys(bob));
    eventually("alice's key is no key", || status("alice-key") == 401);
    assert_eq!([status("bob-key"), status("bob-key")], [200, 200]);
}
