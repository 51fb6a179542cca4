//! Stories of health: who is asked how it is, who is left out, and what happens when nearly all are.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tollgate_tests::{Answer, ClosedPort, GrpcHealth, RunningGateway, TestGateway, Upstream, eventually};

const TWO: &str = "endpoints = [\"{a}\", \"{b}\"]\n";
const THREE: &str = "endpoints = [\"{a}\", \"{b}\", \"{c}\"]\n";
const HTTP: &str = "health = { http = \"/healthz\", interval = \"20ms\", timeout = \"5s\" }\n";
const PANIC: &str = "tollgate_upstream_panic{upstream=\"pool\"}";

/// An upstream whose answers to checks and to requests can be changed.
struct Patient {
    upstream: Upstream,
    health: Arc<AtomicU16>,
    answers: Arc<AtomicU16>,
}

impl Patient {
    fn new() -> Self {
        let (health, answers) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU16::new(200)));
        let (of_checks, of_requests) = (Arc::clone(&health), Arc::clone(&answers));
        let upstream = Upstream::with(move |call| {
            call.read_body()?;
            let status = if call.request.path == "/healthz" { &of_checks } else { &of_requests };
            call.answer(&Answer::status(status.load(Ordering::SeqCst)))
        });
        Self { upstream, health, answers }
    }

    fn set_health(&self, status: u16) {
        self.health.store(status, Ordering::SeqCst);
    }

    fn set_answers(&self, status: u16) {
        self.answers.store(status, Ordering::SeqCst);
    }

    fn requests(&self) -> usize {
        self.upstream.requests().iter().filter(|request| request.path != "/healthz").count()
    }

    fn checks(&self) -> usize {
        self.upstream.requests().iter().filter(|request| request.path == "/healthz").count()
    }
}

fn pool(upstreams: &[&Patient], keys: &str) -> RunningGateway {
    let upstreams: Vec<&Upstream> = upstreams.iter().map(|patient| &patient.upstream).collect();
    TestGateway::new().pool(&upstreams, keys, "").workers(1).start()
}

fn state(gateway: &RunningGateway, patient: &Patient) -> String {
    gateway.endpoint(patient.upstream.address())["state"].as_str().unwrap_or_default().to_owned()
}

fn becomes(gateway: &RunningGateway, patient: &Patient, expected: &str) {
    eventually(&format!("it is {expected}"), || state(gateway, patient) == expected);
}

mod checks {
    use super::*;

    #[test]
    fn who_is_not_well_gets_no_requests_until_it_is() {
        let (a, b) = (Patient::new(), Patient::new());
        let gateway = pool(&[&a, &b], &format!("{TWO}{HTTP}"));
        becomes(&gateway, &a, "up");
        becomes(&gateway, &b, "up");
        b.set_health(503);
        becomes(&gateway, &b, "unhealthy");
        assert_eq!(gateway.endpoint(b.upstream.address())["last-check-error"], "status 503");
        let before = b.requests();
        (0..6).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!((a.requests(), b.requests()), (6, before));
        let up = |patient: &Patient| {
            let address = patient.upstream.address();
            gateway.metric(&format!("tollgate_endpoint_up{{upstream=\"pool\",endpoint=\"{address}\"}}"))
        };
        assert_eq!((up(&a), up(&b)), (1.0, 0.0));
        b.set_health(204);
        becomes(&gateway, &b, "up");
        (0..6).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!(b.requests(), before + 3);
    }

    #[test]
    fn a_check_is_a_request_of_its_own() {
        let a = Patient::new();
        let health = "health = { http = \"/healthz\", host = \"orders.example\", expect = [418, \"3xx\"] }";
        let gateway = pool(&[&a], &format!("endpoints = [\"{{a}}\"]\n{health}"));
        becomes(&gateway, &a, "unhealthy");
        assert_eq!(a.checks(), 1, "the first answer decides");
        let check = &a.upstream.requests()[0];
        assert_eq!((check.method.as_str(), check.field("host")), ("GET", Some("orders.example")));
        assert_eq!(check.field("user-agent"), Some("tollgate-health"));
        assert_eq!(gateway.metric("tollgate_upstream_health_checks_total{upstream=\"pool\",answer=\"bad\"}"), 1.0);
    }

    #[test]
    fn who_says_nothing_in_time_is_not_well() {
        let gate = tollgate_tests::Gate::new();
        let upstream = Upstream::answering(Answer::after(&gate));
        let health = "health = { http = \"/\", interval = \"20ms\", timeout = \"30ms\" }";
        let gateway = TestGateway::new().pool(&[&upstream], &format!("endpoints = [\"{{a}}\"]\n{health}"), "").start();
        let error = || gateway.endpoint(upstream.address())["last-check-error"].clone();
        eventually("it is noticed", || error() == "no answer for 30ms");
        gate.open();
    }

    #[test]
    fn a_port_can_be_checked_too() {
        let (a, port) = (Patient::new(), ClosedPort::new());
        let keys = "endpoints = [\"{a}\", \"{closed}\"]\nhealth = { tcp = true, interval = \"20ms\" }";
        let gateway = TestGateway::new().word("closed", &port.address().to_string()).pool(&[&a.upstream], keys, "");
        let gateway = gateway.workers(1).start();
        eventually("it is noticed", || gateway.endpoint(port.address())["state"] == "unhealthy");
        becomes(&gateway, &a, "up");
        let failures = format!("tollgate_endpoint_requests_total{{upstream=\"pool\",endpoint=\"{}\"}}", port.address());
        let before = gateway.metric(&failures);
        (0..4).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!(gateway.metric(&failures), before, "nobody tries it");
    }

    #[test]
    fn a_grpc_service_is_asked_in_its_own_protocol() {
        let health = GrpcHealth::start(1);
        let keys =
            "endpoints = [\"{grpc}\"]\nhealth = { grpc = \"orders.Orders\", interval = \"20ms\", unhealthy = 1 }";
        let gateway = TestGateway::new().word("grpc", &health.address().to_string());
        let gateway = gateway.config(&TestGateway::pool_config(keys, "")).start();
        eventually("it is well", || gateway.endpoint(health.address())["state"] == "up");
        assert_eq!(health.asked()[0], [&[0, 0, 0, 0, 15, 0x0a, 13][..], b"orders.Orders"].concat());
        health.set_status(2);
        eventually("it is noticed", || gateway.endpoint(health.address())["state"] == "unhealthy");
        assert_eq!(gateway.endpoint(health.address())["last-check-error"], "serving status 2");
    }

    #[test]
    fn a_server_without_the_protocol_is_not_well() {
        let a = Patient::new();
        let gateway = pool(&[&a], "endpoints = [\"{a}\"]\nhealth = { grpc = \"\", interval = \"20ms\" }");
        becomes(&gateway, &a, "unhealthy");
    }

    #[test]
    fn checks_go_on_after_a_change_and_end_with_the_upstream() {
        let (a, b) = (Patient::new(), Patient::new());
        let gateway = pool(&[&a, &b], &format!("{TWO}{HTTP}"));
        b.set_health(500);
        becomes(&gateway, &b, "unhealthy");
        let slower = HTTP.replace("20ms", "30ms");
        gateway.change(|gateway| gateway.write_config(&TestGateway::pool_config(&format!("{TWO}{slower}"), "")));
        assert_eq!(state(&gateway, &b), "unhealthy", "what is known stays known");
        b.set_health(200);
        becomes(&gateway, &b, "up");
        let only = format!("endpoints = [\"{{a}}\"]\n{slower}");
        gateway.change(|gateway| gateway.write_config(&TestGateway::pool_config(&only, "")));
        let (of_a, of_b) = (a.checks(), b.checks());
        eventually("a is checked on", || a.checks() > of_a + 5);
        assert!(b.checks() <= of_b + 1, "b is left in peace");
    }
}

mod panic {
    use super::*;

    #[test]
    fn when_nobody_is_well_all_are_used() {
        let (a, b) = (Patient::new(), Patient::new());
        [&a, &b].iter().for_each(|patient| patient.set_health(500));
        let gateway = pool(&[&a, &b], &format!("{TWO}{HTTP}"));
        becomes(&gateway, &a, "unhealthy");
        becomes(&gateway, &b, "unhealthy");
        (0..4).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!((a.requests(), b.requests(), gateway.metric(PANIC)), (2, 2, 1.0));
        a.set_health(200);
        becomes(&gateway, &a, "up");
        assert_eq!(gateway.metric(PANIC), 0.0);
    }

    #[test]
    fn without_a_threshold_nobody_serves_then() {
        let a = Patient::new();
        a.set_health(500);
        let gateway = pool(&[&a], &format!("endpoints = [\"{{a}}\"]\npanic-threshold = 0\n{HTTP}"));
        becomes(&gateway, &a, "unhealthy");
        assert_eq!((gateway.get("/").status, a.requests()), (503, 0));
        a.set_health(200);
        becomes(&gateway, &a, "up");
        assert_eq!(gateway.get("/").status, 200);
    }
}

mod outliers {
    use super::*;

    fn outlier(ejection: &str) -> String {
        format!("outlier = {{ failures = 3, ejection = \"{ejection}\", interval = \"1h\", max-ejected = 0.4 }}")
    }

    #[test]
    fn who_fails_again_and_again_is_left_out() {
        let (a, b, c) = (Patient::new(), Patient::new(), Patient::new());
        let gateway = pool(&[&a, &b, &c], &format!("{THREE}{}", outlier("1h")));
        c.set_answers(500);
        eventually("it is ejected", || {
            gateway.get("/");
            state(&gateway, &c) == "ejected"
        });
        assert!((3..=4).contains(&c.requests()), "as soon as that is known: {}", c.requests());
        (0..6).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!(gateway.metric("tollgate_upstream_ejections_total{upstream=\"pool\"}"), 1.0);
        b.set_answers(500);
        (0..12).for_each(|_| drop(gateway.get("/")));
        assert_eq!(state(&gateway, &b), "up", "two of three would be more than the share");
    }

    #[test]
    fn who_fails_now_and_then_is_not() {
        let (a, b, c) = (Patient::new(), Patient::new(), Patient::new());
        let gateway = pool(&[&a, &b, &c], &format!("{THREE}{}", outlier("1h")));
        for round in 0..12 {
            c.set_answers(if round % 3 == 2 { 200 } else { 500 });
            (0..3).for_each(|_| drop(gateway.get("/")));
        }
        assert_eq!((state(&gateway, &c).as_str(), c.requests()), ("up", 12));
    }

    #[test]
    fn the_ejected_come_back() {
        let (a, b, c) = (Patient::new(), Patient::new(), Patient::new());
        let gateway = pool(&[&a, &b, &c], &format!("{THREE}{}", outlier("50ms")));
        c.set_answers(500);
        let ejections = "tollgate_upstream_ejections_total{upstream=\"pool\"}";
        eventually("it is ejected", || {
            gateway.get("/");
            gateway.metric(ejections) == 1.0
        });
        c.set_answers(200);
        becomes(&gateway, &c, "up");
        let before = c.requests();
        (0..3).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!(c.requests(), before + 1);
    }

    #[test]
    fn connections_that_fail_count_too() {
        let (a, b, port) = (Patient::new(), Patient::new(), ClosedPort::new());
        let keys = format!("endpoints = [\"{{a}}\", \"{{b}}\", \"{{closed}}\"]\n{}", outlier("1h"));
        let upstreams = [&a.upstream, &b.upstream];
        let gateway = TestGateway::new().word("closed", &port.address().to_string()).pool(&upstreams, &keys, "");
        let gateway = gateway.workers(1).start();
        eventually("it is ejected", || {
            assert_eq!(gateway.get("/").status, 200);
            gateway.endpoint(port.address())["state"] == "ejected"
        });
    }
}

mod slow_start {
    use super::*;

    #[test]
    fn whoever_joins_gets_little_at_first() {
        let (a, b) = (Patient::new(), Patient::new());
        let keys = "slow-start = \"1h\"";
        let gateway = pool(&[&a, &b], &format!("endpoints = [\"{{a}}\"]\n{keys}"));
        assert_eq!(gateway.get("/").status, 200);
        gateway.change(|gateway| gateway.write_config(&TestGateway::pool_config(&format!("{TWO}{keys}"), "")));
        (0..99).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert!((1..=2).contains(&b.requests()), "one in a hundred, not {}", b.requests());
    }

    #[test]
    fn and_everything_later() {
        let (a, b) = (Patient::new(), Patient::new());
        let keys = "slow-start = \"100ms\"";
        let gateway = pool(&[&a, &b], &format!("endpoints = [\"{{a}}\"]\n{keys}"));
        gateway.change(|gateway| gateway.write_config(&TestGateway::pool_config(&format!("{TWO}{keys}"), "")));
        eventually("its share is whole", || {
            let (of_a, of_b) = (a.requests(), b.requests());
            (0..10).for_each(|_| assert_eq!(gateway.get("/").status, 200));
            (a.requests() - of_a, b.requests() - of_b) == (5, 5)
        });
    }
}
