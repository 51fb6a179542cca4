//! What filters keep of an exchange, and when it is lost.

use super::*;

/// An upstream that answers `/slow` only once the gate is open.
fn slow(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::with(move |call| {
        call.read_body()?;
        if call.request.path == "/slow" {
            gate.wait();
        }
        call.answer(&Answer::ok("done"))
    })
}

fn gateway(upstream: &Upstream, policy: &str) -> RunningGateway {
    let gateway = TestGateway::new().upstream(upstream).module("misbehave", guest("misbehave"));
    gateway.policy("10-m", &format!("filter = \"misbehave\"\n{policy}")).workers(1).start()
}

/// The response to a slow request during which another one took the instance.
fn bereaved(policy: &str) -> (RunningGateway, Response) {
    let gate = Gate::new();
    let upstream = slow(&gate);
    let gateway = gateway(&upstream, policy);
    let mut slow = gateway.connect();
    slow.send(&Request::get("/slow"));
    eventually("the slow request is with the upstream", || upstream.requests().len() == 1);
    assert_eq!(faults(&gateway, "10-m", "trap"), 0.0);
    gateway.get("/bad");
    gate.open();
    (gateway, slow.response())
}

#[test]
fn an_exchange_without_state_goes_on_with_a_fresh_instance() {
    let config = r#"config = { in = "request-head", do = "trap", when = "/bad" }"#;
    let (_gateway, response) = bereaved(config);
    assert_eq!((response.status, response.text().as_str(), response.field("x-begun")), (200, "done", Some("0")));
}

#[test]
fn an_exchange_whose_state_is_lost_is_denied() {
    let config = r#"config = { in = "request-head", do = "trap", when = "/bad", state = true }"#;
    let (gateway, response) = bereaved(config);
    assert_eq!((response.status, response.problem().as_str()), (503, DENIED));
    let faults = |class| gateway.metric(&format!(r#"tollgate_filter_faults_total{{policy="10-m",class="{class}"}}"#));
    assert_eq!((faults("trap"), faults("state-lost")), (1.0, 1.0));
    assert_eq!(gateway.get("/").field("x-hooks"), Some("2"));
}

#[test]
fn an_exchange_whose_state_is_lost_is_bypassed_where_the_policy_says_so() {
    let config = r#"
            on-fault = "bypass"
            config = { in = "request-head", do = "trap", when = "/bad", state = true }
        "#;
    let (_gateway, response) = bereaved(config);
    assert_eq!((response.status, response.text().as_str(), response.field("x-hooks")), (200, "done", None));
}

#[test]
fn a_fault_without_a_trap_takes_nobody_s_state() {
    let config = r#"config = { in = "request-head", do = "fault", when = "/bad", state = true }"#;
    let (_gateway, response) = bereaved(config);
    assert_eq!((response.status, response.field("x-hooks")), (200, Some("2")));
}

#[test]
fn each_exchange_has_a_state_of_its_own() {
    let gate = Gate::new();
    let upstream = slow(&gate);
    let gateway = gateway(&upstream, "config = { state = true }");
    let mut connections: Vec<Connection> = (0..3).map(|_| gateway.connect()).collect();
    for connection in &mut connections {
        connection.send(&Request::get("/slow"));
    }
    for _ in 0..3 {
        assert_eq!(gateway.get("/quick").field("x-hooks"), Some("2"));
    }
    gate.open();
    for mut connection in connections {
        assert_eq!(connection.response().field("x-hooks"), Some("2"));
    }
}

#[test]
fn every_exchange_ends_once_also_if_the_client_goes_away() {
    let gate = Gate::new();
    let upstream = slow(&gate);
    let gateway = gateway(&upstream, "config = { state = true }");
    for _ in 0..3 {
        assert_eq!(gateway.get("/quick").status, 200);
    }
    let mut leaving = gateway.connect();
    leaving.send(&Request::get("/slow"));
    eventually("the slow request is with the upstream", || upstream.requests().len() == 4);
    drop(leaving);
    let number = |response: &Response, name| response.field(name).and_then(|text| text.parse::<u32>().ok()).unwrap();
    eventually("all exchanges but the latest have ended", || {
        let response = gateway.get("/quick");
        number(&response, "x-ended") == number(&response, "x-begun") - 1
    });
    gate.open();
    let response = gateway.get("/quick");
    assert_eq!(number(&response, "x-ended"), number(&response, "x-begun") - 1);
    assert_eq!(gateway.metric("tollgate_exchanges_open"), 0.0);
}

#[test]
fn an_exchange_that_a_filter_denies_ends_too() {
    let upstream = Upstream::start();
    let config = r#"config = { in = "request-head", do = "fault", when = "/bad", state = true }"#;
    let gateway = gateway(&upstream, config);
    for _ in 0..3 {
        assert_eq!(gateway.get("/bad").status, 503);
    }
    let response = gateway.get("/good");
    assert_eq!((response.field("x-begun"), response.field("x-ended")), (Some("4"), Some("3")));
}
