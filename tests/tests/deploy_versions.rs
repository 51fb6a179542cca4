//! Stories of versions in flight: exchanges end on what they began with, unless that takes too long.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use tollgate_tests::http2::{Http2, kind};
use tollgate_tests::{Answer, Gate, Peer, PeerClient, Request, RunningGateway, TestGateway, Upstream, eventually};

/// With that in `[limits]`, and a policy that marks responses.
fn before(gateway: TestGateway, limits: &str) -> RunningGateway {
    let config = format!(
        "policies-dir = \"policies\"\n[[listeners]]\naddress = \"{{listen}}\"\n[limits]\n{limits}\n\
         [upstreams.only]\nendpoints = [\"{{upstream}}\"]\n[[routes]]\nupstream = \"only\"\npolicies = [\"headers\"]\n"
    );
    gateway.policy("10-headers", &mark("1")).config(&config).workers(1).start()
}

fn mark(version: &str) -> String {
    format!("[config.response.set]\nx-version = {version:?}\n")
}

/// An upstream that answers `/slow` only once the gate is open.
fn held(begun: &Gate, gate: &Gate) -> Upstream {
    let (begun, gate) = (begun.clone(), gate.clone());
    Upstream::with(move |call| {
        if call.read_body()?.path == "/slow" {
            begun.open();
            gate.wait();
        }
        call.answer(&Answer::ok("fine"))
    })
}

#[test]
fn an_exchange_that_takes_too_long_is_cut_and_counted_and_no_other() {
    let (begun, gate) = (Gate::new(), Gate::new());
    let upstream = held(&begun, &gate);
    let gateway = before(TestGateway::new().upstream(&upstream), "old-versions = \"1s\"");
    let mut slow = gateway.connect();
    slow.send(&Request::get("/slow"));
    begun.wait();
    let mut idle = gateway.connect();
    assert_eq!(idle.request(Request::get("/")).field("x-version"), Some("1"));
    gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2")));
    eventually("two are in use", || gateway.metric("tollgate_snapshots") == 2.0);
    slow.expect_close();
    assert_eq!(gateway.metric("tollgate_exchanges_cut_total"), 1.0);
    eventually("nothing is left of the old one", || gateway.metric("tollgate_snapshots") == 1.0);
    assert_eq!(idle.request(Request::get("/")).field("x-version"), Some("2"), "whoever waits is left alone");
    gate.open();
}

#[test]
fn an_exchange_on_what_serves_may_take_as_long_as_it_likes() {
    let (begun, gate) = (Gate::new(), Gate::new());
    let upstream = held(&begun, &gate);
    let gateway = before(TestGateway::new().upstream(&upstream), "old-versions = \"1s\"");
    // One that is old, and is cut, beside one that is not.
    let mut old = gateway.connect();
    old.send(&Request::get("/slow"));
    begun.wait();
    gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2")));
    let mut new = gateway.connect();
    new.send(&Request::get("/slow"));
    old.expect_close();
    gate.open();
    assert_eq!(new.response().field("x-version"), Some("2"));
}

#[test]
fn a_websocket_is_told_that_it_has_to_go() {
    let server = Peer::python("websocket_server");
    let limits = "old-versions = \"1s\"\ndrain = \"200ms\"";
    let gateway = before(TestGateway::new().upstream_at(server.address()), limits);
    let uri = format!("ws://{}/", gateway.address());
    let client = PeerClient::start("websocket_client", &[&uri, "text:hello", "wait"]);
    client.line(&["text hello"]);
    gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2")));
    client.line(&["closed 1001"]);
    server.line(&["closed 1001"]);
    eventually("nothing is left of the old one", || gateway.metric("tollgate_snapshots") == 1.0);
    assert_eq!(gateway.metric("tollgate_exchanges_cut_total"), 1.0);
}

#[test]
fn a_stream_of_http2_is_cut_after_a_goodbye() {
    let (begun, gate) = (Gate::new(), Gate::new());
    let upstream = held(&begun, &gate);
    let gateway = before(TestGateway::new().upstream(&upstream), "old-versions = \"1s\"");
    let mut client = Http2::open(gateway.address(), &[]);
    client.get(1, "/slow");
    begun.wait();
    gateway.change(|gateway| gateway.write_policy("10-headers", &mark("2")));
    assert_eq!(client.next_of(kind::GOAWAY).code(), 0);
    eventually("nothing is left of the old one", || gateway.metric("tollgate_snapshots") == 1.0);
    assert_eq!(gateway.metric("tollgate_exchanges_cut_total"), 1.0);
    gate.open();
}
