//! Stories of filters that ask upstreams of their own accord, and wait for the answers.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use tollgate_tests::{
    Answer, Gate, Request, Response, RunningGateway, TestGateway, Upstream, eventually, example, guest, guest_component,
};

/// A gateway with one policy, which is granted the upstream `auth`; requests go to `upstream`.
fn gateway(upstream: &Upstream, auth: &Upstream, policy: &str) -> TestGateway {
    let config = format!(
        r#"
        policies-dir = "policies"
        [[listeners]]
        address = "{{listen}}"
        [upstreams.echo]
        endpoints = ["{{upstream}}"]
        [upstreams.auth]
        endpoints = ["{{auth}}"]
        [upstreams.other]
        endpoints = ["{{auth}}"]
        [policies.ask]
        filter = "callout"
        grants = {{ callouts = ["auth"], read = ["*", "authorization", "cookie"] }}
        {policy}
        [[routes]]
        path = {{ prefix = "/plain" }}
        upstream = "echo"
        [[routes]]
        policies = ["ask"]
        upstream = "echo"
        {{route}}
        "#
    );
    let gateway = TestGateway::new().upstream(upstream).word("auth", &auth.address().to_string()).word("route", "");
    gateway.module("callout", guest("callout")).config(&config).workers(1)
}

fn asking(upstream: &Upstream, auth: &Upstream, policy: &str) -> RunningGateway {
    gateway(upstream, auth, policy).start()
}

/// What the filter was told.
fn told(response: &Response) -> String {
    response.echo().field("x-told").unwrap_or_default().to_owned()
}

/// An upstream that answers with the request's path.
fn telling_paths() -> Upstream {
    Upstream::with(|call| {
        let request = call.read_body()?;
        call.answer(&Answer::ok(request.path))
    })
}

/// An upstream that answers with the content in capitals.
fn shouting() -> Upstream {
    Upstream::with(|call| {
        let request = call.read_body()?;
        call.answer(&Answer::ok(request.body.to_ascii_uppercase()))
    })
}

mod asks {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_requests() {
        let (upstream, auth) = (Upstream::start(), telling_paths());
        for turn in ["", ", in_turn = true"] {
            let calls =
                r#"[{ upstream = "auth", path = "/a?b" }, { upstream = "auth", path = "/c", method = "POST" }]"#;
            let gateway = asking(&upstream, &auth, &format!("config = {{ calls = {calls}{turn} }}"));
            assert_eq!(told(&gateway.get("/")), "200 /a?b; 200 /c");
        }
    }

    #[test]
    fn a_request_is_sent_as_the_filter_made_it() {
        let (upstream, auth) = (Upstream::start(), Upstream::start());
        let call = r#"{ upstream = "auth", method = "PUT", path = "/x", field = ["x-a", "b"], body = 3 }"#;
        let gateway = asking(&upstream, &auth, &format!("config = {{ calls = [{call}] }}"));
        gateway.send(Request::get("/").field("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        let asked = auth.request();
        let address = auth.address().to_string();
        assert_eq!((asked.method.as_str(), asked.path.as_str(), asked.field("x-a")), ("PUT", "/x", Some("b")));
        assert_eq!((asked.field("host"), asked.field("content-length")), (Some(address.as_str()), Some("3")));
        assert!(asked.field("traceparent").is_some_and(|parent| parent.contains("4bf92f3577b34da6a3ce929d0e0e4736")));
        assert_eq!(asked.field("x-forwarded-for"), None, "it is the filter's request, not the client's");
    }

    #[test]
    fn requests_are_under_way_at_the_same_time() {
        let both = Gate::new();
        let arrived = std::sync::atomic::AtomicUsize::new(0);
        let auth = Upstream::with(move |call| {
            if arrived.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
                both.open();
            }
            both.wait();
            call.answer(&Answer::ok("both"))
        });
        let config = r#"config = { calls = [{ upstream = "auth", times = 2 }] }"#;
        let config = format!("{config}\nlimits = {{ callout-timeout = \"60s\" }}");
        let upstream = Upstream::start();
        let gateway = asking(&upstream, &auth, &config);
        assert_eq!(told(&gateway.get("/")), "200 both; 200 both");
    }

    #[test]
    fn connections_are_the_upstreams_own_and_used_again() {
        let (upstream, auth) = (Upstream::start(), telling_paths());
        let gateway = asking(&upstream, &auth, r#"config = { calls = [{ upstream = "auth" }] }"#);
        (0..3).for_each(|_| drop(gateway.get("/")));
        assert_eq!((auth.requests().len(), auth.connections()), (3, 1));
        assert_eq!(gateway.metric("tollgate_upstream_requests_total{upstream=\"auth\"}"), 3.0);
        assert_eq!(gateway.metric("tollgate_callouts_total{policy=\"ask\",result=\"answered\"}"), 3.0);
        assert!(gateway.metric("tollgate_callout_seconds_total{policy=\"ask\"}") > 0.0);
    }

    #[test]
    fn the_example_asks_an_authorization_service() {
        let auth = Upstream::with(|call| {
            let request = call.read_body()?;
            match request.field("authorization") {
                Some("Bearer good") => call.answer(&Answer::status(204).field("x-user", "amy")),
                Some("Bearer odd") => call.answer(&Answer::status(500)),
                _ => call.answer(&Answer::status(401).field("www-authenticate", "Bearer")),
            }
        });
        let config = r#"config = { upstream = "auth", path = "/check", consumer = "x-user" }"#;
        let upstream = Upstream::start();
        let gateway = gateway(&upstream, &auth, config).module("callout", example("callout-auth")).start();
        let with = |token: &str| gateway.send(Request::get("/orders").field("authorization", token));
        assert_eq!(with("Bearer good").status, 200);
        assert_eq!(auth.requests()[0].field("x-original-path"), Some("/orders"));
        let refused = with("Bearer bad");
        assert_eq!((refused.status, refused.field("www-authenticate")), (401, Some("Bearer")));
        assert_eq!(with("Bearer odd").status, 503);
        assert_eq!(gateway.metric("tollgate_filter_faults_total{policy=\"ask\",class=\"reported\"}"), 1.0);
    }
}

mod every_hook {
    use super::*;

    #[test]
    fn response_heads_wait_too_and_state_stays_with_the_exchange() {
        let (upstream, auth) = (Upstream::start(), telling_paths());
        let config = r#"config = { in = "response-head", state = true, calls = [{ upstream = "auth" }] }"#;
        let gateway = asking(&upstream, &auth, config);
        for _ in 0..2 {
            let response = gateway.get("/");
            assert_eq!((response.field("x-told"), response.field("x-hooks")), (Some("200 /"), Some("2")));
        }
    }

    #[test]
    fn bodies_are_translated_piece_by_piece() {
        let (upstream, auth) = (Upstream::start(), shouting());
        let gateway = asking(&upstream, &auth, r#"config = { in = "request-body", calls = [{ upstream = "auth" }] }"#);
        let response = gateway.send(Request::new("POST", "/").chunks(["one ", "two"]));
        assert_eq!(response.echo().body, "ONE TWO");
        let answer = Answer::status(200).field("trailer", "x-t").chunk("one ").chunk("two").trailer("x-t", "v");
        let upstream = Upstream::answering(answer);
        let gateway = asking(&upstream, &auth, r#"config = { in = "response-body", calls = [{ upstream = "auth" }] }"#);
        let response = gateway.send(Request::get("/").field("te", "trailers"));
        assert_eq!((response.text().as_str(), response.trailers.get("x-t")), ("ONE TWO", Some("v")));
    }

    #[test]
    fn a_head_is_held_until_the_last_piece_has_been_asked_about() {
        let (upstream, auth) = (Upstream::start(), shouting());
        let config = r#"config = { in = "request-body", hold = true, state = true, calls = [{ upstream = "auth" }] }"#;
        let gateway = asking(&upstream, &auth, config);
        let response = gateway.send(Request::post("/", "whole"));
        assert_eq!((response.echo().body.as_str(), response.echo().field("x-hooks").is_some()), ("WHOLE", true));
    }

    #[test]
    fn trailers_wait() {
        let auth = telling_paths();
        let upstream =
            Upstream::answering(Answer::status(200).field("trailer", "x-t, x-told").chunk("a").trailer("x-t", "v"));
        let config = r#"config = { in = "response-trailers", calls = [{ upstream = "auth", path = "/t" }] }"#;
        let gateway = asking(&upstream, &auth, config);
        let response = gateway.send(Request::get("/").field("te", "trailers"));
        assert_eq!((response.text().as_str(), response.trailers.get("x-told")), ("a", Some("200 /t")));
    }

    #[test]
    fn nobody_waits_before_an_exchange_or_after_it() {
        let (upstream, auth) = (Upstream::start(), telling_paths());
        let config = r#"config = { in = "configure", calls = [{ upstream = "auth" }] }"#;
        let refused = gateway(&upstream, &auth, config).try_start().err().unwrap();
        assert!(refused.contains("a callout may not be made in `configure`"), "{refused}");
        let gateway = asking(&upstream, &auth, r#"config = { in = "exchange-end", calls = [{ upstream = "auth" }] }"#);
        assert_eq!(gateway.get("/").status, 200);
        eventually("the fault is counted", || {
            gateway.admin("/metrics").text().contains("faults_total{policy=\"ask\",class=\"refused\"} 1")
        });
        assert_eq!((gateway.get("/").status, auth.requests().len()), (200, 0));
    }
}

mod meanwhile {
    use super::*;

    const SLOW: &str = r#"config = { when = "/slow", calls = [{ upstream = "auth" }] }
        limits = { callout-timeout = "60s" }"#;

    fn gated(gate: &Gate) -> Upstream {
        Upstream::answering(Answer::after(gate).body("at last"))
    }

    #[test]
    fn one_exchange_waits_and_others_of_its_worker_go_on() {
        let gate = Gate::new();
        let (upstream, auth) = (Upstream::start(), gated(&gate));
        let gateway = asking(&upstream, &auth, SLOW);
        let mut slow = gateway.connect();
        slow.send(&Request::get("/slow"));
        eventually("the service was asked", || auth.requests().len() == 1);
        assert_eq!(gateway.get("/fast").status, 200, "on another instance of the same filter");
        assert_eq!(gateway.get("/plain").status, 200, "without the filter");
        gate.open();
        assert_eq!(told(&slow.response()), "200 at last");
    }

    #[test]
    fn what_others_do_meanwhile_is_not_the_hooks_time() {
        let gate = Gate::new();
        let (upstream, auth) = (Upstream::start(), gated(&gate));
        let config = r#"config = { when = "/slow", work = 2, calls = [{ upstream = "auth" }] }
            limits = { callout-timeout = "60s", cpu = "50ms" }"#;
        let gateway = asking(&upstream, &auth, config);
        let mut slow = gateway.connect();
        slow.send(&Request::get("/slow"));
        eventually("the service was asked", || auth.requests().len() == 1);
        // Some hundred milliseconds of the worker's time.
        let mut busy = gateway.connect();
        (0..300).for_each(|_| drop(busy.request(Request::get("/plain"))));
        gate.open();
        assert_eq!(told(&slow.response()), "200 at last");
    }

    #[test]
    fn many_short_turns_are_one_hook() {
        let (upstream, auth) = (Upstream::start(), telling_paths());
        let config = r#"config = { in_turn = true, work = 60, calls = [{ upstream = "auth", times = 8 }] }
            limits = { cpu = "50ms" }"#;
        let gateway = asking(&upstream, &auth, config);
        assert_eq!(gateway.get("/").status, 503);
        assert_eq!(gateway.metric("tollgate_filter_faults_total{policy=\"ask\",class=\"deadline\"}"), 1.0);
    }

    #[test]
    fn a_client_that_leaves_takes_its_callout_along() {
        let gate = Gate::new();
        let left = gate.clone();
        let auth = Upstream::with(move |call| {
            if call.request.path == "/" && !left.is_open() {
                call.wait_for_close();
                left.open();
                return Ok(false);
            }
            call.answer(&Answer::ok("late"))
        });
        let upstream = Upstream::start();
        let gateway = asking(&upstream, &auth, SLOW);
        let mut slow = gateway.connect();
        slow.send(&Request::get("/slow"));
        eventually("the service was asked", || auth.requests().len() == 1);
        drop(slow);
        gate.wait();
        assert_eq!(told(&gateway.get("/slow")), "200 late");
        assert_eq!(upstream.requests().len(), 1, "the first went no further");
    }

    #[test]
    fn who_finds_all_instances_waiting_waits_in_order() {
        let gates = [Gate::new(), Gate::new(), Gate::new()];
        let (turn, waiting) = (AtomicUsize::new(0), gates.clone());
        let auth = Upstream::with(move |call| {
            waiting[turn.fetch_add(1, Ordering::Relaxed)].wait();
            call.answer(&Answer::ok("at last"))
        });
        let upstream = Upstream::start();
        let gateway = asking(&upstream, &auth, &SLOW.replace("limits = {", "limits = { instances = 1,"));
        let mut clients: Vec<_> = (0..3).map(|_| gateway.connect()).collect();
        for (place, client) in clients.iter_mut().enumerate() {
            client.send(&Request::get(&format!("/slow/{place}")));
            eventually("the request is there", || gateway.metric("tollgate_exchanges_open") as usize == place + 1);
        }
        for (place, client) in clients.iter_mut().enumerate() {
            eventually("one is asking", || auth.requests().len() == place + 1);
            gates[place].open();
            assert_eq!(told(&client.response()), "200 at last", "it is this client's turn");
        }
    }

    #[test]
    fn and_not_for_ever() {
        let gate = Gate::new();
        let upstream = gated(&gate);
        let config = r#"config = { state = true, when = "/ask", calls = [{ upstream = "auth" }] }
            limits = { instances = 1, callout-timeout = "50ms" }"#;
        let gateway = asking(&upstream, &telling_paths(), config);
        let mut first = gateway.connect();
        first.send(&Request::get("/first"));
        eventually("the first is with the upstream", || upstream.requests().len() == 1);
        assert_eq!(gateway.get("/second").status, 503);
        assert_eq!(gateway.metric("tollgate_filter_faults_total{policy=\"ask\",class=\"busy\"}"), 1.0);
        gate.open();
        assert_eq!(first.response().status, 200);
    }

    #[test]
    fn an_exchange_that_is_too_late_takes_its_callout_along() {
        let gate = Gate::new();
        let closed = gate.clone();
        let auth = Upstream::with(move |call| {
            call.wait_for_close();
            closed.open();
            Ok(false)
        });
        let upstream = Upstream::start();
        let gateway = gateway(&upstream, &auth, SLOW).word("route", "timeouts = { total = \"50ms\" }").start();
        let mut slow = gateway.connect();
        slow.send(&Request::get("/slow"));
        assert_eq!(slow.response().status, 504);
        gate.wait();
        assert_eq!(upstream.requests().len(), 0);
    }
}

mod bounds {
    use super::*;

    /// What becomes of one call with these keys.
    fn outcome(auth: &Upstream, call: &str, limits: &str) -> String {
        let config = format!("config = {{ calls = [{call}] }}\nlimits = {{ {limits} }}");
        told(&asking(&Upstream::start(), auth, &config).get("/"))
    }

    #[test]
    fn only_what_is_granted_can_be_asked() {
        let auth = telling_paths();
        for upstream in ["other", "echo", "nobody", ""] {
            assert_eq!(outcome(&auth, &format!("{{ upstream = {upstream:?} }}"), ""), "Error::NotGranted");
        }
        assert_eq!(auth.requests().len(), 0);
    }

    #[test]
    fn what_is_no_request_is_not_sent() {
        let auth = telling_paths();
        let bad = [
            r#"path = "elsewhere""#,
            r#"path = "/a b""#,
            r#"path = "/a\u0000""#,
            r#"path = "http://elsewhere.test/""#,
            r#"method = "CONNECT""#,
            r#"method = "A B""#,
            r#"method = """#,
            r#"authority = "amy@auth.test""#,
            r#"authority = "a b""#,
            r#"field = ["content-length", "3"]"#,
            r#"field = ["host", "elsewhere.test"]"#,
            r#"field = ["connection", "close"]"#,
            r#"field = ["x-a", "b\r\nx-injected: c"]"#,
        ];
        for keys in bad {
            let told = outcome(&auth, &format!("{{ upstream = \"auth\", {keys} }}"), "");
            assert!(told.starts_with("Error::Invalid("), "{keys}: {told}");
        }
        assert_eq!(auth.requests().len(), 0);
    }

    #[test]
    fn only_so_many_are_sent() {
        let auth = telling_paths();
        let count = |told: &str, what: &str| told.split("; ").filter(|answer| *answer == what).count();
        let told = outcome(&auth, r#"{ upstream = "auth", times = 10 }"#, "");
        assert_eq!((count(&told, "200 /"), count(&told, "Error::TooMany")), (8, 2), "of an exchange: {told}");
        let told = outcome(&auth, r#"{ upstream = "auth", times = 17 }"#, "callouts = 100");
        assert_eq!((count(&told, "200 /"), count(&told, "Error::TooMany")), (0, 17), "at once: {told}");
        assert_eq!(outcome(&auth, r#"{ upstream = "auth" }"#, "callouts = 0"), "Error::TooMany");
    }

    #[test]
    fn only_so_large_and_only_so_long() {
        let auth = Upstream::with(|call| {
            call.read_body()?;
            call.answer(&Answer::ok(vec![b'y'; 70_000]))
        });
        let outcome = |keys: &str, limits: &str| {
            let told = outcome(&auth, &format!("{{ upstream = \"auth\", {keys} }}"), limits);
            told.chars().take(20).collect::<String>()
        };
        assert_eq!(outcome("body = 2000", "callout-body = \"1KiB\""), "Error::TooLarge");
        assert_eq!(auth.requests().len(), 0);
        assert_eq!(outcome("path = \"/\"", ""), "Error::TooLarge", "64 KiB unless more is asked for");
        assert_eq!(outcome("limit = 100000", "callout-body = \"1KiB\""), "Error::TooLarge");
        assert!(outcome("limit = 100000", "").starts_with("200 yyyy"));
        let gate = Gate::new();
        let silent = Upstream::answering(Answer::after(&gate));
        let told = |keys: &str, limits: &str| super::bounds::outcome(&silent, keys, limits);
        assert_eq!(told(r#"{ upstream = "auth", timeout = 20 }"#, ""), "Error::Timeout");
        assert_eq!(told(r#"{ upstream = "auth", timeout = 60000 }"#, "callout-timeout = \"20ms\""), "Error::Timeout");
        gate.open();
    }

    #[test]
    fn an_upstream_that_is_none_is_said_to_be_so() {
        let broken = Upstream::answering(Answer::raw("nonsense\r\n\r\n"));
        assert_eq!(outcome(&broken, r#"{ upstream = "auth" }"#, ""), "Error::Broken");
        let cut = Upstream::answering(Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").close());
        assert_eq!(outcome(&cut, r#"{ upstream = "auth", timeout = 900 }"#, ""), "Error::Broken");
        let switching = Upstream::answering(Answer::raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"));
        assert_eq!(outcome(&switching, r#"{ upstream = "auth" }"#, ""), "Error::Broken");
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = r#"config = { calls = [{ upstream = "auth" }] }"#;
        let upstream = Upstream::start();
        let gateway = gateway(&upstream, &broken, config).word("auth", &gone).start();
        assert_eq!(told(&gateway.get("/")), "Error::Connect");
    }
}

mod grants {
    use super::*;

    #[test]
    fn a_grant_of_what_there_is_not_is_a_problem_of_its_policy() {
        let (upstream, auth) = (Upstream::start(), telling_paths());
        let config = r#"config = { calls = [{ upstream = "auth" }] }"#;
        let other = |grants: &str| format!("filter = \"callout\"\nconfig = {{ calls = [] }}\n{grants}");
        let gateway = gateway(&upstream, &auth, config).policy("10-other", &other("")).start();
        gateway.change(|gateway| {
            gateway.write_policy("10-other", &other("grants = { callouts = [\"auht\"] }"));
        });
        let problems = gateway.policy("10-other").to_string();
        assert!(problems.contains("grants.callouts[0]") && problems.contains("did you mean"), "{problems}");
        assert_eq!(told(&gateway.get("/")), "200 /", "others do not suffer");
    }

    #[test]
    fn a_component_waits_as_well() {
        let (upstream, auth) = (Upstream::start(), telling_paths());
        let config = r#"config = { state = true, calls = [{ upstream = "auth", path = "/c", times = 2 }] }"#;
        let component = guest_component("callout");
        let gateway = gateway(&upstream, &auth, config).module("callout", component).start();
        assert_eq!(told(&gateway.get("/")), "200 /c; 200 /c");
    }
}
