//! Stories of who is to blame and what becomes of it: faults that are answered by class, quarantine, budgets.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::{Answer, Gate, Request, RunningGateway, TestGateway, Upstream, eventually, guest};

const POLICY: &str = "filter = \"misbehave\"\nconfig = { in = \"request-head\", do = \"DEED\", when = \"/bad\" }\n";

/// A gateway whose one policy misbehaves in requests below `/bad`.
fn misbehaving(upstream: &Upstream, deed: &str, more: &str) -> RunningGateway {
    let policy = format!("{more}\n{}", POLICY.replace("DEED", deed));
    TestGateway::new().upstream(upstream).module("misbehave", guest("misbehave")).policy("10-m", &policy).start()
}

mod on_fault {
    use super::*;

    #[test]
    fn each_class_has_its_answer() {
        let upstream = Upstream::start();
        let by_class = "on-fault = { default = \"bypass\", status = 500, trap = \"deny\" }";
        for (deed, expected) in [("trap", 500), ("fault", 200), ("eat-memory", 200)] {
            assert_eq!(misbehaving(&upstream, deed, by_class).get("/bad").status, expected, "{deed}");
        }
    }

    #[test]
    fn a_change_of_the_answers_is_a_change() {
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, "fault", "");
        assert_eq!(gateway.get("/bad").status, 503);
        let changed = format!("on-fault = {{ reported = \"bypass\" }}\n{}", POLICY.replace("DEED", "fault"));
        gateway.change(|gateway| gateway.write_policy("10-m", &changed));
        assert_eq!(gateway.get("/bad").status, 200);
    }
}

mod quarantine {
    use super::*;

    /// After two faults, for as long as a story takes.
    const LONG: &str = "quarantine = { faults = 2, within = \"1h\", share = 0, probe = \"1h\", action = \"ACTION\" }";

    fn closed(upstream: &Upstream, action: &str) -> RunningGateway {
        let gateway = misbehaving(upstream, "fault", &LONG.replace("ACTION", action));
        assert_eq!(gateway.policy("10-m")["state"], "live");
        for _ in 0..2 {
            assert_eq!(gateway.get("/good").status, 200);
            assert_eq!(gateway.get("/bad").status, 503);
        }
        gateway
    }

    #[test]
    fn a_policy_that_faults_too_often_is_seen_to_be_degraded() {
        let upstream = Upstream::start();
        let gateway = closed(&upstream, "deny");
        assert_eq!(gateway.policy("10-m")["state"], "degraded");
        let calls = gateway.metric("tollgate_filter_calls_total{policy=\"10-m\"}");
        assert_eq!((gateway.get("/good").status, gateway.get("/bad").status), (503, 503));
        assert_eq!(gateway.metric("tollgate_filter_calls_total{policy=\"10-m\"}"), calls, "it was called");
        assert_eq!(gateway.metric("tollgate_filter_quarantined{policy=\"10-m\"}"), 1.0);
        assert_eq!(gateway.metric("tollgate_filter_quarantines_total{policy=\"10-m\"}"), 1.0);
        assert_eq!(gateway.metric("tollgate_filter_quarantined_exchanges_total{policy=\"10-m\"}"), 2.0);
    }

    #[test]
    fn requests_go_on_without_it_where_the_operator_says_so() {
        let upstream = Upstream::start();
        let gateway = closed(&upstream, "bypass");
        let response = gateway.send(Request::get("/bad"));
        assert_eq!((response.status, response.field("x-hooks"), response.echo().field("x-begun")), (200, None, None));
    }

    #[test]
    fn a_new_version_begins_without_blame() {
        let upstream = Upstream::start();
        let gateway = closed(&upstream, "deny");
        let changed = format!("{}\n{}", LONG.replace("ACTION", "deny"), POLICY.replace("DEED", "nothing"));
        gateway.change(|gateway| gateway.write_policy("10-m", &changed));
        assert_eq!((gateway.get("/bad").status, gateway.policy("10-m")["state"].as_str()), (200, Some("live")));
        assert_eq!(gateway.metric("tollgate_filter_quarantined{policy=\"10-m\"}"), 0.0);
    }

    #[test]
    fn one_good_exchange_ends_it_and_bad_ones_do_not() {
        let upstream = Upstream::start();
        let settings = "quarantine = { faults = 1, within = \"1h\", share = 0, probe = \"1ms\", action = \"deny\" }";
        let gateway = misbehaving(&upstream, "fault", settings);
        assert_eq!(gateway.get("/bad").status, 503);
        let calls = || gateway.metric("tollgate_filter_calls_total{policy=\"10-m\"}");
        eventually("it is tried again", || {
            assert_eq!(gateway.get("/bad").status, 503);
            calls() == 3.0
        });
        assert_eq!(gateway.policy("10-m")["state"], "degraded");
        eventually("it is well again", || gateway.get("/good").status == 200);
        eventually("and said to be", || gateway.policy("10-m")["state"] == "live");
        assert_eq!(gateway.metric("tollgate_filter_quarantines_total{policy=\"10-m\"}"), 1.0);
    }

    #[test]
    fn few_faults_among_many_exchanges_are_none_of_its_business() {
        let upstream = Upstream::start();
        let settings = "quarantine = { faults = 3, within = \"1h\", action = \"deny\" }";
        let gateway = misbehaving(&upstream, "fault", settings);
        for _ in 0..6 {
            let statuses = ["/bad", "/good", "/good"].map(|path| gateway.get(path).status);
            assert_eq!(statuses, [503, 200, 200]);
        }
    }
}

mod budgets {
    use super::*;

    /// A gateway whose one policy can be busy.
    fn busy(upstream: &Upstream, limits: &str) -> RunningGateway {
        let policy = format!("filter = \"observe\"\nlimits = {{ cpu = \"10s\"{limits} }}");
        TestGateway::new().upstream(upstream).module("observe", guest("observe")).policy("10-o", &policy).start()
    }

    /// What the policy costs on the only route.
    #[track_caller]
    fn cost(gateway: &RunningGateway, what: &str, more: &str) -> f64 {
        gateway.metric(&format!("tollgate_filter_{what}_total{{policy=\"10-o\",route=\"route-1\"{more}}}"))
    }

    /// A request with a body in a hundred pieces, each of which takes some time.
    fn laborious() -> Request {
        Request::new("POST", "/busy?1000").chunks(["piece"; 100])
    }

    #[test]
    fn what_a_policy_costs_is_told_by_route() {
        let upstream = Upstream::start();
        let gateway = busy(&upstream, "");
        assert_eq!(gateway.get("/busy?20000").status, 200);
        assert_eq!(gateway.send(Request::post("/", "twelve bytes")).status, 200);
        assert_eq!((cost(&gateway, "exchanges", ""), cost(&gateway, "route_replies", "")), (2.0, 0.0));
        assert_eq!(cost(&gateway, "bytes", ",of=\"request\""), 12.0);
        // One hook in 61 is measured in any case.
        eventually("its time is told", || {
            gateway.get("/busy?20000");
            cost(&gateway, "cpu_seconds", "") > 0.001
        });
        assert_eq!(gateway.get("/trap").status, 503);
        assert_eq!(cost(&gateway, "route_faults", ",class=\"refused\""), 1.0);
    }

    #[test]
    fn an_exchange_has_so_much_time_for_all_its_hooks() {
        let upstream = Upstream::start();
        assert_eq!(busy(&upstream, "").send(laborious()).status, 200);
        let gateway = busy(&upstream, ", exchange-cpu = \"5ms\"");
        assert_eq!(gateway.get("/").status, 200);
        assert_eq!(gateway.send(laborious()).status, 503);
        assert_eq!(gateway.metric("tollgate_filter_faults_total{policy=\"10-o\",class=\"deadline\"}"), 1.0);
    }

    #[test]
    fn a_policy_has_so_many_exchanges_at_once() {
        let gate = Gate::new();
        let held = gate.clone();
        let upstream = Upstream::with(move |call| {
            if call.request.path == "/slow" {
                held.wait();
            }
            call.answer(&Answer::ok("done"))
        });
        let gateway = busy(&upstream, ", exchanges = 1");
        let mut slow = gateway.connect();
        slow.send(&Request::get("/slow"));
        eventually("the slow request is with the upstream", || upstream.requests().len() == 1);
        assert_eq!(gateway.get("/quick").status, 503);
        gate.open();
        assert_eq!(slow.response().status, 200);
        eventually("there is room again", || gateway.get("/quick").status == 200);
        assert!(gateway.metric("tollgate_filter_refused_exchanges_total{policy=\"10-o\"}") >= 1.0);
    }

    #[test]
    fn access_lines_tell_what_each_filter_took_if_asked() {
        let upstream = Upstream::start();
        let config = r#"
            policies-dir = "policies"
            access-log = { filters = true }
            [[listeners]]
            address = "{listen}"
            [upstreams.echo]
            endpoints = ["{upstream}"]
            [[routes]]
            policies = ["one", "two"]
            upstream = "echo"
            [policies.one]
            filter = "observe"
            [policies.two]
            filter = "observe"
        "#;
        let gateway = TestGateway::new().upstream(&upstream).module("observe", guest("observe")).config(config);
        let program = gateway.run(&["--log-format", "json"]);
        assert_eq!(program.get("/seen").status, 200);
        let line: serde_json::Value = serde_json::from_str(&program.line(&["access", "/seen"])).unwrap();
        let filters: Vec<_> =
            line["filters"].as_str().unwrap().split(' ').filter_map(|of| of.split_once('=')).collect();
        assert_eq!(filters.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["one", "two"]);
        assert!(filters.iter().all(|(_, micros)| micros.parse::<f64>().is_ok_and(|micros| micros > 0.0)), "{line}");
    }
}
