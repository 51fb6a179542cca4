//! Stories of filters that misbehave: what becomes of their own requests, and that nothing becomes of anything else.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use std::thread;

use tollgate_tests::{
    Answer, Connection, Gate, Request, Response, RunningGateway, TestGateway, Upstream, eventually, guest,
};

/// What a client is told about a fault: nothing about its inside.
const DENIED: &str = "a policy could not be applied to this request";

/// What the guest says in its panics and faults.
const SECRET: &str = "the inside of the filter";

const CONFIG: &str = r#"
    policies-dir = "policies"
    [[listeners]]
    address = "{listen}"
    [upstreams.echo]
    endpoints = ["{upstream}"]
"#;

/// A gateway with a route and a policy for each deed: `/DEED/bad` misbehaves, and other paths below `/DEED` do not.
fn misbehaving(upstream: &Upstream, place: &str, deeds: &[(&str, &str)], on_fault: &str) -> RunningGateway {
    let policy_and_route = |(deed, _): &(&str, &str)| {
        // Tens of thousands of anything take their time.
        let cpu = if deed.contains("flood") { "10s" } else { "5ms" };
        format!(
            r#"
            [policies.{deed}]
            filter = "misbehave"
            config = {{ in = "{place}", do = "{deed}", when = "/{deed}/bad" }}
            limits = {{ cpu = "{cpu}" }}
            on-fault = "{on_fault}"
            [[routes]]
            path = {{ prefix = "/{deed}" }}
            policies = ["{deed}"]
            upstream = "echo"
            "#
        )
    };
    let config: String = deeds.iter().map(policy_and_route).collect();
    let gateway = TestGateway::new().upstream(upstream).module("misbehave", guest("misbehave"));
    gateway.config(&format!("{CONFIG}{config}")).workers(1).start()
}

/// How many faults of one class a policy had, if it had none of another.
#[track_caller]
fn faults(gateway: &RunningGateway, policy: &str, class: &str) -> f64 {
    let page = gateway.admin("/metrics").text();
    let of_policy = format!("tollgate_filter_faults_total{{policy={policy:?},");
    let all: Vec<&str> = page.lines().filter(|line| line.starts_with(&of_policy)).collect();
    assert!(all.iter().all(|line| line.contains(&format!("class={class:?}"))), "{class} is not the class: {all:?}");
    gateway.metric(&format!("tollgate_filter_faults_total{{policy={policy:?},class={class:?}}}"))
}

/// Whether a fault of that class costs the instance.
fn takes_the_instance(class: &str) -> bool {
    !matches!(class, "reported" | "answer")
}

/// What a filter can do wrong in any hook, with the class of the fault.
const ANYWHERE: [(&str, &str); 11] = [
    ("trap", "trap"),
    ("panic", "trap"),
    ("loop", "deadline"),
    ("eat-memory", "memory"),
    ("recurse", "stack"),
    ("fault", "reported"),
    ("foreign-exchange", "refused"),
    ("zero-requests", "refused"),
    ("zero-period", "refused"),
    ("zero-burst", "refused"),
    ("zero-cost", "refused"),
];

/// What a filter can do wrong with either head.
const WITH_A_HEAD: [(&str, &str); 11] = [
    ("bad-name", "answer"),
    ("line-break", "answer"),
    ("content-length", "answer"),
    ("relative-path", "answer"),
    ("unknown-fact", "answer"),
    ("flood-fields", "answer"),
    ("hold", "answer"),
    ("reply-informational", "answer"),
    ("reply-status-too-large", "answer"),
    ("reply-content-length", "answer"),
    ("reply-flood-fields", "answer"),
];

fn with_a_head(more: (&'static str, &'static str)) -> Vec<(&'static str, &'static str)> {
    ANYWHERE.into_iter().chain(WITH_A_HEAD).chain([more]).collect()
}

mod deny {
    use super::*;

    #[track_caller]
    fn expect_denied(gateway: &RunningGateway, deed: &str, class: &str, response: &Response) {
        assert_eq!((response.status, response.problem().as_str()), (503, DENIED), "{deed}");
        let told = format!("{response:?}");
        assert!(!told.contains(SECRET) && !told.contains("misbehave") && !told.contains("wasm"), "{deed}: {told}");
        assert_eq!(faults(gateway, deed, class), 1.0, "{deed}");
    }

    #[test]
    fn a_fault_over_a_request_head_denies_it_and_the_next_request_is_served() {
        let deeds = with_a_head(("request-status", "answer"));
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, "request-head", &deeds, "deny");
        for (deed, class) in deeds {
            expect_denied(&gateway, deed, class, &gateway.get(&format!("/{deed}/bad")));
            let begun = gateway.get(&format!("/{deed}/good")).echo().field("x-begun").map(str::to_owned);
            let expected = if takes_the_instance(class) { "1" } else { "2" };
            assert_eq!(begun.as_deref(), Some(expected), "{deed}");
        }
        assert!(upstream.requests().iter().all(|request| request.path.ends_with("/good")), "a bad one got through");
    }

    #[test]
    fn a_fault_over_a_response_head_puts_a_problem_in_its_place() {
        let deeds = with_a_head(("informational-status", "answer"));
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, "response-head", &deeds, "deny");
        for (deed, class) in deeds {
            expect_denied(&gateway, deed, class, &gateway.get(&format!("/{deed}/bad")));
            let good = gateway.get(&format!("/{deed}/good"));
            let expected = if takes_the_instance(class) { "1" } else { "2" };
            assert_eq!((good.status, good.field("x-begun")), (200, Some(expected)), "{deed}");
        }
    }

    #[test]
    fn a_fault_over_a_request_body_denies_the_request() {
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, "request-body", &ANYWHERE, "deny");
        for (deed, class) in ANYWHERE {
            let response = gateway.send(Request::post(&format!("/{deed}/bad"), "content"));
            expect_denied(&gateway, deed, class, &response);
            let echo = gateway.send(Request::post(&format!("/{deed}/good"), "content")).echo();
            assert_eq!(echo.body, "content", "{deed}");
        }
        assert!(upstream.requests().iter().all(|request| !request.complete || request.path.ends_with("good")));
    }

    #[test]
    fn a_fault_over_request_trailers_denies_the_request() {
        let deeds: Vec<_> = ANYWHERE.into_iter().chain([("edit-trailers-badly", "answer")]).collect();
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, "request-trailers", &deeds, "deny");
        for (deed, class) in deeds {
            let request = |path| Request::post(&format!("/{deed}/{path}"), "").chunks(["content"]).trailer("x-a", "b");
            expect_denied(&gateway, deed, class, &gateway.send(request("bad")));
            assert_eq!(gateway.send(request("good")).echo().body, "content", "{deed}");
        }
    }

    #[test]
    fn a_fault_over_a_response_body_cuts_it() {
        let upstream = Upstream::answering(Answer::ok("a body that must not go out"));
        let gateway = misbehaving(&upstream, "response-body", &ANYWHERE, "deny");
        for (deed, class) in ANYWHERE {
            let mut connection = gateway.connect();
            connection.send(&Request::get(&format!("/{deed}/bad")));
            let mut came = Vec::new();
            loop {
                let more = connection.some();
                if more.is_empty() {
                    break;
                }
                came.extend(more);
            }
            let came = String::from_utf8_lossy(&came);
            assert!(!came.contains("must not go out") && !came.contains("0\r\n\r\n"), "{deed}: {came}");
            assert_eq!(faults(&gateway, deed, class), 1.0, "{deed}");
            assert_eq!(gateway.get(&format!("/{deed}/good")).text(), "a body that must not go out", "{deed}");
        }
    }

    #[test]
    fn a_fault_at_an_exchange_s_end_is_counted_and_changes_nothing() {
        let deeds: Vec<_> = ANYWHERE.into_iter().filter(|(deed, _)| *deed != "fault").collect();
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, "exchange-end", &deeds, "deny");
        for (deed, class) in deeds {
            assert_eq!(gateway.get(&format!("/{deed}/bad")).status, 200, "{deed}");
            eventually("the end is a fault", || faults(&gateway, deed, class) == 1.0);
            assert_eq!(gateway.get(&format!("/{deed}/good")).status, 200, "{deed}");
        }
    }
}

mod bypass {
    use super::*;

    #[test]
    fn a_fault_over_a_request_head_leaves_no_trace() {
        let deeds = with_a_head(("request-status", "answer"));
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, "request-head", &deeds, "bypass");
        for (deed, class) in deeds {
            let response = gateway.get(&format!("/{deed}/bad"));
            let echo = response.echo();
            assert_eq!((echo.field("x-begun"), echo.path.as_str()), (None, &*format!("/{deed}/bad")), "{deed}");
            assert_eq!((response.field("x-hooks"), response.field("server")), (None, Some("echo")), "{deed}");
            assert_eq!(faults(&gateway, deed, class), 1.0, "{deed}");
            assert!(gateway.get(&format!("/{deed}/good")).echo().field("x-begun").is_some(), "{deed}");
        }
    }

    #[test]
    fn a_fault_over_a_response_head_leaves_no_trace() {
        let deeds = with_a_head(("informational-status", "answer"));
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, "response-head", &deeds, "bypass");
        for (deed, class) in deeds {
            let response = gateway.get(&format!("/{deed}/bad"));
            assert_eq!((response.status, response.field("x-hooks")), (200, None), "{deed}");
            assert_eq!(faults(&gateway, deed, class), 1.0, "{deed}");
        }
    }

    #[test]
    fn a_fault_over_a_body_lets_it_pass() {
        for place in ["request-body", "response-body"] {
            let upstream = Upstream::start();
            let gateway = misbehaving(&upstream, place, &ANYWHERE, "bypass");
            for (deed, class) in ANYWHERE {
                let echo = gateway.send(Request::post(&format!("/{deed}/bad"), "content")).echo();
                assert_eq!(echo.body, "content", "{deed}");
                assert_eq!(faults(&gateway, deed, class), 1.0, "{deed}");
            }
        }
    }

    #[test]
    fn a_fault_over_trailers_lets_them_pass() {
        let deeds: Vec<_> = ANYWHERE.into_iter().chain([("edit-trailers-badly", "answer")]).collect();
        let answer = Answer::status(200).field("trailer", "x-a").chunk("content").trailer("x-a", "b");
        let (echo, upstream) = (Upstream::start(), Upstream::answering(answer));
        let of_request = misbehaving(&echo, "request-trailers", &deeds, "bypass");
        let of_response = misbehaving(&upstream, "response-trailers", &deeds, "bypass");
        for (deed, class) in deeds {
            let request = Request::post(&format!("/{deed}/bad"), "").field("trailer", "x-a").field("te", "trailers");
            let request = request.chunks(["content"]).trailer("x-a", "b");
            let echo = of_request.send(request.clone()).echo();
            assert_eq!((echo.body.as_str(), echo.trailers.get("x-a")), ("content", Some("b")), "{deed}");
            let response = of_response.send(request);
            assert_eq!((response.text().as_str(), response.trailers.get("x-a")), ("content", Some("b")), "{deed}");
            assert_eq!((faults(&of_request, deed, class), faults(&of_response, deed, class)), (1.0, 1.0), "{deed}");
        }
    }
}

mod allowed {
    use super::*;

    #[test]
    fn what_is_only_excessive_is_no_fault() {
        let deeds = [("huge-limit", ""), ("flood-log", ""), ("long-log", "")];
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, "request-head", &deeds, "deny");
        for (deed, _) in deeds {
            assert_eq!(gateway.get(&format!("/{deed}/bad")).status, 200, "{deed}");
        }
    }

    #[test]
    fn a_huge_reply_comes_whole() {
        let upstream = Upstream::start();
        let gateway = misbehaving(&upstream, "request-head", &[("reply-huge", "")], "deny");
        let response = gateway.get("/reply-huge/bad");
        assert_eq!((response.status, response.body.len()), (200, 4 << 20));
    }

    #[test]
    fn memory_is_bounded_by_the_policy() {
        let policy = |memory| {
            format!(
                "filter = \"misbehave\"\nlimits.memory = {memory:?}\nconfig = {{ in = \"request-head\", do = \"eat-memory\", amount = 8 }}"
            )
        };
        let upstream = Upstream::start();
        let start = |memory| {
            let gateway = TestGateway::new().upstream(&upstream).module("misbehave", guest("misbehave"));
            gateway.policy("10-m", &policy(memory)).workers(1).start()
        };
        let (roomy, tight) = (start("16MiB"), start("8MiB"));
        assert_eq!(roomy.get("/").status, 200);
        assert_eq!((tight.get("/").status, faults(&tight, "10-m", "memory")), (503, 1.0));
    }
}

mod isolation {
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
}

mod state {
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
        let faults =
            |class| gateway.metric(&format!(r#"tollgate_filter_faults_total{{policy="10-m",class="{class}"}}"#));
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
        let number =
            |response: &Response, name| response.field(name).and_then(|text| text.parse::<u32>().ok()).unwrap();
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
}

mod configure {
    use super::*;

    fn policy(deed: &str) -> String {
        format!(
            "filter = \"misbehave\"\nlimits.configure = \"20ms\"\nconfig = {{ in = \"configure\", do = \"{deed}\" }}\n"
        )
    }

    const REFUSALS: [(&str, &str); 6] = [
        ("panic", "the filter failed while it was configured (trap): "),
        ("trap", "the filter failed while it was configured (trap): "),
        ("recurse", "the filter failed while it was configured (stack): "),
        (
            "loop",
            "the filter did not accept its configuration in time: used more than 20ms of CPU time; raise limits.configure",
        ),
        ("eat-memory", "the filter ran out of memory over its configuration: "),
        ("fault", SECRET),
    ];

    #[test]
    fn a_fault_while_configured_is_refused_with_file_line_and_key() {
        for (deed, expected) in REFUSALS {
            let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into());
            let gateway = gateway.module("misbehave", guest("misbehave")).policy("10-m", &policy(deed));
            let message = gateway.check().unwrap_err();
            assert!(message.starts_with("policies/10-m.toml:3: config: "), "{deed}: {message}");
            assert!(message.contains(expected), "{deed}: {message}");
        }
    }

    #[test]
    fn imports_cannot_be_called_while_configured() {
        for deed in ["zero-cost", "huge-limit", "foreign-exchange"] {
            let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into());
            let gateway = gateway.module("misbehave", guest("misbehave")).policy("10-m", &policy(deed));
            let message = gateway.check().unwrap_err();
            assert!(message.contains("while no hook of"), "{deed}: {message}");
        }
    }

    #[test]
    fn a_fault_over_a_changed_configuration_keeps_the_one_before_it() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("misbehave", guest("misbehave"));
        let gateway = gateway.policy("10-m", "filter = \"misbehave\"").workers(1).start();
        for (number, (deed, expected)) in (1..).zip(REFUSALS) {
            gateway.change(|gateway| gateway.write_policy("10-m", &policy(deed)));
            let status = gateway.policy("10-m");
            assert_eq!(status["state"], "kept", "{deed}");
            assert!(status["last-error"].as_str().unwrap_or_default().contains(expected), "{status}");
            assert_eq!(gateway.get("/").echo().field("x-begun"), Some(&*number.to_string()), "{deed}");
        }
    }

    #[test]
    fn too_many_or_unknown_facts_are_refused() {
        let refusal = |names: &[String]| {
            let policy = format!("filter = \"facts\"\nconfig = {{ in = \"request\", declare = {names:?} }}");
            let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into());
            gateway.module("facts", guest("facts")).policy("10-f", &policy).check().unwrap_err()
        };
        let many: Vec<String> = (0..65).map(|number| format!("x-{number}")).collect();
        assert!(refusal(&many).contains("subscribes to 65 facts, but 64 is the most"), "{}", refusal(&many));
        let unknown = refusal(&["@nonsense".to_owned()]);
        assert!(unknown.contains("\"@nonsense\" is not a fact of a request; known are"), "{unknown}");
    }

    #[test]
    fn a_filter_that_does_not_fit_its_memory_is_refused() {
        let gateway = TestGateway::new().upstream_at(([127, 0, 0, 1], 9).into());
        let gateway = gateway.module("misbehave", guest("misbehave"));
        let message = gateway.policy("10-m", "filter = \"misbehave\"\nlimits.memory = \"64KiB\"").check().unwrap_err();
        assert!(message.contains("ran out of memory") && message.contains("raise limits.memory"), "{message}");
    }
}

mod log {
    use super::*;

    fn program(place: &str, deed: &str) -> (Upstream, tollgate_tests::Binary) {
        let upstream = Upstream::start();
        let policy = format!(
            "filter = \"misbehave\"\nlimits.cpu = \"10s\"\nconfig = {{ in = \"{place}\", do = \"{deed}\", when = \"/bad\" }}"
        );
        let gateway = TestGateway::new().upstream(&upstream).module("misbehave", guest("misbehave"));
        let program = gateway.policy("10-m", &policy).run(&["--workers", "1"]);
        (upstream, program)
    }

    #[test]
    fn a_fault_is_logged_with_policy_class_and_reason() {
        let (_upstream, program) = program("request-head", "panic");
        assert_eq!(program.get("/bad").status, 503);
        let line = program.line(&["filter fault"]);
        for part in ["WARN", "10-m", "trap", &format!("panic: {SECRET}")] {
            assert!(line.contains(part), "no {part} in {line}");
        }
    }

    #[test]
    fn a_hook_logs_a_bounded_number_of_lines() {
        let (_upstream, program) = program("request-head", "flood-log");
        program.get("/bad");
        program.line(&["10-m", "flood 63"]);
        program.get("/bad");
        program.signal("TERM");
        let lines = program.wait().stderr;
        assert_eq!(lines.lines().filter(|line| line.contains("flood ")).count(), 128, "{lines}");
    }

    #[test]
    fn a_long_line_is_cut() {
        let (_upstream, program) = program("request-head", "long-log");
        assert_eq!(program.get("/bad").status, 200);
        let line = program.line(&["10-m", "long long"]);
        assert!(line.len() < 4_096 + 200, "{} bytes", line.len());
    }
}

mod facts {
    use super::*;

    fn gateway(upstream: &Upstream, config: &str) -> RunningGateway {
        let gateway = TestGateway::new().upstream(upstream).module("facts", guest("facts"));
        let grants = "grants = { read = [\"*\", \"cookie\", \"set-cookie\"] }";
        gateway.policy("10-f", &format!("filter = \"facts\"\n{grants}\nconfig = {{ {config} }}")).workers(1).start()
    }

    /// What the guest says to a request with fields of every kind.
    fn told(config: &str) -> String {
        let upstream = Upstream::start();
        let gateway = gateway(&upstream, config);
        let mut connection = gateway.connect();
        let head = [
            b"GET /a%20b?c=d HTTP/1.1\r\nHost: api.test:80\r\nX-Empty:\r\nX-Many: one\r\nx-many: two\r\n".as_slice(),
            b"X-Many:  three  \r\nCookie: a=1\r\nCookie: b=2\r\nX-Raw: \xff\xfe\r\nX-Long: ",
            &[b'x'; 3_000],
            b"\r\n\r\n",
        ];
        connection.write(head.concat());
        connection.response().text()
    }

    const NAMES: &str = r#"["x-absent", ":method", ":path", ":authority", ":scheme", "x-empty", "x-none", "x-many",
        "x-empty", "cookie", "x-raw", "@client-address", "@listener", "@route", "@consumer", "@attr:a", "host"]"#;

    const VALUES: &str = "x-absent absent\n:method=GET\n:path=/a%20b?c=d\n:authority=api.test:80\n:scheme=http\nx-empty=\n\
        x-none absent\nx-many=one, two, three\nx-empty=\ncookie=a=1; b=2\nx-raw=\\xff\\xfe\n@client-address=127.0.0.1\n\
        @listener=listener-1\n@route=route-1\n@consumer absent\n@attr:a absent\nhost=api.test:80";

    #[test]
    fn declared_facts_come_with_the_call() {
        let names = NAMES.replace('\n', " ");
        assert_eq!(told(&format!("in = \"request\", declare = {names}")), VALUES);
    }

    #[test]
    fn other_facts_can_be_asked_for() {
        let names = NAMES.replace('\n', " ");
        assert_eq!(told(&format!("in = \"request\", ask = {names}")), VALUES);
    }

    #[test]
    fn values_of_one_name_can_be_had_one_by_one() {
        let told = told(r#"in = "request", each = ["x-many", "cookie", "x-none", "x-empty"]"#);
        assert_eq!(told, "x-many: one | two | three\ncookie: a=1 | b=2\nx-none: \nx-empty: ");
    }

    #[test]
    fn all_fields_can_be_had() {
        let told = told(r#"in = "request", fields = true"#);
        for line in
            ["host: api.test:80", "x-empty: ", "x-many: three", "x-raw: \\xff\\xfe", "x-forwarded-for: 127.0.0.1"]
        {
            assert!(told.lines().any(|told| told == line), "no {line} in {told}");
        }
    }

    #[test]
    fn the_longest_value_comes_whole() {
        let told = told(r#"in = "request", declare = ["x-long"]"#);
        assert_eq!(told.len(), "x-long=".len() + 3_000);
    }

    #[test]
    fn an_edit_at_once_can_be_read_back_or_says_what_is_wrong() {
        let done = told(r#"in = "request", apply = "x-new", ask = ["x-new"]"#);
        assert_eq!(done, "apply x-new: done\nx-new=applied");
        let attribute = told(r#"in = "request", apply = "@attr:plan", ask = ["@attr:plan"]"#);
        assert_eq!(attribute, "apply @attr:plan: done\n@attr:plan=applied");
        let refused = told(r#"in = "request", apply = "content-length", ask = ["content-length"]"#);
        let reason =
            "\"content-length\" frames the message or belongs to the connection, which only the gateway may change";
        assert_eq!(refused, format!("apply content-length: {reason}\ncontent-length absent"));
    }

    #[test]
    fn a_response_hook_sees_the_response_and_the_request() {
        let answer = Answer::status(418).field("set-cookie", "a=1").field("set-cookie", "b=2").field("x-own", "r");
        let upstream = Upstream::answering(answer);
        let names = r#"[":status", "x-own", "set-cookie", "x-none", "@request::path", "@request:x-own", "@route"]"#;
        let expected = ":status=418\nx-own=r\nset-cookie=a=1, b=2\nx-none absent\n@request::path=/p?q\n@request:x-own=q\n\
            @route=route-1";
        for how in ["declare", "ask"] {
            let gateway = gateway(&upstream, &format!("in = \"response\", {how} = {names}"));
            let response = gateway.send(Request::get("/p?q").field("x-own", "q"));
            assert_eq!(response.text(), expected, "{how}");
        }
        let gateway = gateway(&upstream, r#"in = "response", each = ["set-cookie"]"#);
        assert_eq!(gateway.get("/").text(), "set-cookie: a=1 | b=2");
    }
}

mod wasi {
    use super::*;

    fn start(upstream: &Upstream, config: &str) -> RunningGateway {
        let gateway = TestGateway::new().upstream(upstream).module("inert-wasi", guest("inert-wasi"));
        gateway.policy("10-w", &format!("filter = \"inert-wasi\"\n{config}")).workers(1).start()
    }

    #[test]
    fn a_standard_library_finds_clocks_and_chance_but_no_environment() {
        let upstream = Upstream::start();
        let seen = |config| start(&upstream, config).get("/").echo().field("x-wasi").map(str::to_owned);
        let granted = seen("grants = { clock = true }").unwrap_or_default();
        assert_eq!(granted, "env=0 args=0 map=100 later=true now=true");
        // Clocks that are not granted stand still.
        assert_eq!(seen("").unwrap_or_default(), "env=0 args=0 map=100 later=true now=false");
    }

    #[test]
    fn what_is_printed_reaches_the_log() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("10-w", guest("inert-wasi"));
        let program = gateway.run(&["--workers", "1"]);
        assert_eq!(program.get("/").status, 200);
        program.line(&["INFO", "10-w", "printed while configured"]);
        program.line(&["INFO", "10-w", "printed to standard output"]);
        program.line(&["ERROR", "10-w", "printed to standard error"]);
    }

    #[test]
    fn files_sleep_and_exit_are_faults() {
        let upstream = Upstream::start();
        for config in ["file = \"/etc/hostname\"", "sleep = true", "exit = true"] {
            let gateway = start(&upstream, &format!("config = {{ {config} }}"));
            assert_eq!(gateway.get("/").status, 503, "{config}");
            assert_eq!(faults(&gateway, "10-w", "refused"), 1.0, "{config}");
        }
    }
}
