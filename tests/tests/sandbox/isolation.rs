//! What one fault means for everybody else.

use super::*;

const SPIN: &str = r#"
        [policies.spin]
        filter = "misbehave"
        config = { in = "request-head", do = "loop" }
        limits = { cpu = "50ms" }
        [policies.count]
        filter = "misbehave"
        [[routes]]
        path = { prefix = "/spin" }
        policies = ["count", "spin"]
        upstream = "echo"
        [[routes]]
        path = { prefix = "/plain" }
        upstream = "echo"
        [[routes]]
        policies = ["count"]
        upstream = "echo"
    "#;

#[test]
fn others_are_served_while_one_filter_spins() {
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).module("misbehave", guest("misbehave"));
    let gateway = gateway.config(&format!("{CONFIG}{SPIN}")).start();
    thread::scope(|scope| {
        for path in ["/spin", "/spin", "/plain", "/counted", "/counted"] {
            let mut connection = gateway.connect();
            scope.spawn(move || {
                let expected = if path == "/spin" { 503 } else { 200 };
                for _ in 0..10 {
                    assert_eq!(connection.request(Request::get(path)).status, expected, "{path}");
                }
            });
        }
    });
    assert_eq!(faults(&gateway, "spin", "deadline"), 20.0);
    assert_eq!(faults(&gateway, "count", "none"), 0.0);
}

#[test]
fn a_connection_outlives_the_faults_of_its_requests() {
    let upstream = Upstream::start();
    let gateway = misbehaving(&upstream, "request-head", &ANYWHERE, "deny");
    let mut connection = gateway.connect();
    for (deed, _) in ANYWHERE {
        assert_eq!(connection.request(Request::get(&format!("/{deed}/bad"))).status, 503, "{deed}");
        assert_eq!(connection.request(Request::get(&format!("/{deed}/good"))).status, 200, "{deed}");
    }
}

#[test]
fn filters_around_a_faulting_one_see_the_response() {
    let policies = r#"
            [policies.outer]
            filter = "misbehave"
            [policies.faulty]
            filter = "misbehave"
            config = { in = "request-head", do = "trap" }
            [policies.inner]
            filter = "misbehave"
            [[routes]]
            policies = ["outer", "faulty", "inner"]
            upstream = "echo"
        "#;
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).module("misbehave", guest("misbehave"));
    let gateway = gateway.config(&format!("{CONFIG}{policies}")).workers(1).start();
    let response = gateway.get("/");
    assert_eq!((response.status, response.field("x-hooks")), (503, Some("2")));
    assert_eq!(gateway.metric(r#"tollgate_filter_calls_total{policy="inner"}"#), 0.0);
    assert_eq!(upstream.requests().len(), 0);
}
