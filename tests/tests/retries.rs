//! Stories of time-outs and retries: how long a request may take, when it is sent again, and when it must not be.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tollgate_tests::{Answer, Call, ClosedPort, Gate, Request, RunningGateway, TestGateway, Upstream};

const TWO: &str = "endpoints = [\"{a}\", \"{b}\"]";
const RETRIES: &str = "tollgate_upstream_retries_total{upstream=\"pool\"}";

/// A way to fail.
type Failure = fn(&mut Call) -> io::Result<bool>;

/// Fails its first request in that way and echoes the others.
fn failing_once(fail: Failure) -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::with(move |call| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            return fail(call);
        }
        let request = call.read_body()?;
        call.answer(&Answer::ok(request.body))
    })
}

fn reset(call: &mut Call) -> io::Result<bool> {
    call.reset()
}

fn unavailable(call: &mut Call) -> io::Result<bool> {
    call.read_body()?;
    call.answer(&Answer::status(503).body("busy"))
}

fn pool(upstreams: &[&Upstream], of_route: &str) -> RunningGateway {
    let keys = if upstreams.len() == 1 { "endpoints = [\"{a}\"]" } else { TWO };
    TestGateway::new().pool(upstreams, keys, of_route).workers(1).start()
}

fn count(upstreams: &[&Upstream]) -> Vec<usize> {
    let mut counts: Vec<_> = upstreams.iter().map(|upstream| upstream.requests().len()).collect();
    counts.sort_unstable();
    counts
}

mod faults {
    use super::*;

    /// Each stage at which an upstream can fail before the head of its response is whole.
    const STAGES: [(&str, Failure); 6] = [
        ("resets before it reads", reset),
        ("resets once it has read", |call| {
            call.read_body()?;
            call.reset()
        }),
        ("closes without an answer", |call| {
            call.read_body()?;
            Ok(false)
        }),
        ("closes within the status line", |call| {
            call.read_body()?;
            call.answer(&Answer::raw("HTTP/1.1 2").close())
        }),
        ("closes within the head", |call| {
            call.read_body()?;
            call.answer(&Answer::raw("HTTP/1.1 200 OK\r\ncontent-le").close())
        }),
        ("lies about lengths", |call| {
            call.read_body()?;
            let lie = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx";
            call.answer(&Answer::raw(lie).close())
        }),
    ];

    #[test]
    fn a_request_that_breaks_goes_to_another_endpoint() {
        for (stage, fail) in STAGES {
            let (a, b) = (failing_once(fail), failing_once(fail));
            let gateway = pool(&[&a, &b], "retry = { attempts = 3, on = [\"reset\"] }");
            assert_eq!(gateway.get("/").status, 200, "{stage}");
            assert_eq!(count(&[&a, &b]), [1, 2], "{stage}");
            assert_eq!(gateway.metric(RETRIES), 2.0, "{stage}");
        }
    }

    #[test]
    fn without_retries_it_is_a_bad_gateway() {
        for (stage, fail) in STAGES {
            let a = failing_once(fail);
            let gateway = pool(&[&a], "");
            assert_eq!(gateway.get("/").status, 502, "{stage}");
            assert_eq!(gateway.get("/").status, 200, "{stage}: the next one is served");
        }
    }

    #[test]
    fn a_response_that_has_begun_is_cut_rather_than_asked_for_again() {
        let ways: [Failure; 3] = [
            |call| {
                call.read_body()?;
                call.answer(&Answer::ok("half").field("content-length", "8").close())
            },
            |call| {
                call.read_body()?;
                call.answer(&Answer::status(200).chunk("half").close())
            },
            |call| {
                call.read_body()?;
                call.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n")?;
                Ok(false)
            },
        ];
        for way in ways {
            let a = failing_once(way);
            let gateway = pool(&[&a], "retry = { on = [\"reset\", \"5xx\"] }");
            let response = gateway.connect().request(Request::get("/"));
            assert_eq!((response.status, response.complete, response.text().as_str()), (200, false, "half"));
            assert_eq!(a.requests().len(), 1);
        }
    }

    #[test]
    fn an_upstream_that_stops_halfway_through_its_head_is_waited_for_no_longer_than_said() {
        let gate = Gate::new();
        let stalled = gate.clone();
        let upstream = Upstream::with(move |call| {
            call.read_body()?;
            call.answer(&Answer::raw("HTTP/1.1 200 OK\r\ncontent-").wait(&stalled))
        });
        let gateway = pool(&[&upstream], "timeouts = { first-byte = \"50ms\" }");
        assert_eq!(gateway.get("/").status, 504);
        gate.open();
    }
}

mod bodies {
    use super::*;

    #[test]
    fn a_request_that_may_have_been_acted_upon_is_not_sent_again() {
        let (a, b) = (failing_once(reset), failing_once(reset));
        let gateway = pool(&[&a, &b], "retry = { on = [\"reset\"] }");
        assert_eq!(gateway.send(Request::post("/", "order")).status, 502);
        assert_eq!(count(&[&a, &b]), [0, 1]);
    }

    #[test]
    fn unless_the_route_says_so_and_then_with_all_of_its_body() {
        let after_the_body: Failure = |call| {
            call.read_body()?;
            call.reset()
        };
        let (a, b) = (failing_once(after_the_body), Upstream::start());
        let gateway = pool(&[&a, &b], "retry = { on = [\"reset\"], methods = [\"POST\"] }");
        for _ in 0..2 {
            let response = gateway.send(Request::new("POST", "/").chunks(["one ", "two ", "three"]));
            assert_eq!(response.status, 200);
        }
        let bodies: Vec<_> = a.requests().into_iter().chain(b.requests()).map(|request| request.body).collect();
        assert_eq!(bodies.len(), 3);
        assert!(bodies.iter().all(|body| body == b"one two three"), "{bodies:?}");
    }

    #[test]
    fn what_is_too_large_to_be_kept_is_sent_once() {
        let (a, b) = (failing_once(unavailable), failing_once(unavailable));
        let gateway = pool(&[&a, &b], "retry = { on = [503], methods = [\"PUT\"], buffer = \"1KiB\" }");
        let response = gateway.send(Request::new("PUT", "/").body(vec![b'x'; 4 << 10]));
        assert_eq!((response.status, response.text().as_str()), (503, "busy"));
        assert_eq!(count(&[&a, &b]), [0, 1]);
        let small = gateway.send(Request::new("PUT", "/").body(vec![b'x'; 1 << 10]));
        assert_eq!((small.status, small.body.len()), (200, 1 << 10));
    }

    #[test]
    fn whatever_could_not_be_connected_for_goes_elsewhere_whatever_it_is() {
        let (port, a) = (ClosedPort::new(), Upstream::start());
        let keys = "endpoints = [\"{closed}\", \"{a}\"]";
        for of_route in ["", "retry = { on = [\"connect\"] }"] {
            let gateway = TestGateway::new().word("closed", &port.address().to_string()).pool(&[&a], keys, of_route);
            let gateway = gateway.workers(1).start();
            for _ in 0..4 {
                assert_eq!(gateway.send(Request::post("/", "order")).echo().body, "order");
            }
        }
    }

    #[test]
    fn without_that_reason_it_does_not() {
        let (port, a) = (ClosedPort::new(), Upstream::start());
        let keys = "endpoints = [\"{closed}\", \"{a}\"]";
        let gateway = TestGateway::new().word("closed", &port.address().to_string());
        let gateway = gateway.pool(&[&a], keys, "retry = { on = [503] }").workers(1).start();
        let mut statuses: Vec<_> = (0..2).map(|_| gateway.get("/").status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 502]);
    }
}

mod reasons {
    use super::*;

    #[test]
    fn a_status_can_be_a_reason() {
        let (a, b) = (failing_once(unavailable), failing_once(unavailable));
        let gateway = pool(&[&a, &b], "retry = { attempts = 3, on = [\"5xx\"] }");
        assert_eq!(gateway.get("/").status, 200);
        assert_eq!(count(&[&a, &b]), [1, 2]);
    }

    #[test]
    fn the_last_answer_is_the_answer() {
        let a = Upstream::answering(Answer::status(503).body("still busy"));
        let gateway = pool(&[&a], "retry = { attempts = 3, on = [503] }");
        let response = gateway.get("/");
        assert_eq!((response.status, response.text().as_str()), (503, "still busy"));
        assert_eq!(a.requests().len(), 3, "one endpoint is asked again");
    }

    #[test]
    fn an_attempt_that_takes_too_long_can_be_one() {
        let gate = Gate::new();
        let stalled = gate.clone();
        let count = Arc::new(AtomicUsize::new(0));
        let upstream = move || {
            let (stalled, count) = (stalled.clone(), Arc::clone(&count));
            Upstream::with(move |call| {
                call.read_body()?;
                if count.fetch_add(1, Ordering::SeqCst) == 0 {
                    stalled.wait();
                }
                call.answer(&Answer::ok("in time"))
            })
        };
        let (a, b) = (upstream(), upstream());
        let gateway = pool(&[&a, &b], "retry = { on = [\"timeout\"], per-try-timeout = \"100ms\" }");
        assert_eq!(gateway.get("/").text(), "in time");
        assert_eq!(super::count(&[&a, &b]), [1, 1]);
        gate.open();
    }

    #[test]
    fn retries_are_bounded_by_their_share() {
        let a = Upstream::answering(Answer::status(503));
        let gateway = pool(&[&a], "retry = { on = [503], budget = 0 }");
        (0..15).for_each(|_| assert_eq!(gateway.get("/").status, 503));
        assert_eq!((a.requests().len(), gateway.metric(RETRIES)), (25, 10.0), "ten are saved up, none are earned");
    }

    #[test]
    fn a_session_moves_with_its_retry() {
        let (a, b) = (failing_once(unavailable), Upstream::answering(Answer::ok("b")));
        let keys = format!("{TWO}\nsticky = {{ cookie = \"gw\" }}");
        let gateway = TestGateway::new().pool(&[&a, &b], &keys, "retry = { on = [503] }").workers(1).start();
        let responses: Vec<_> = (0..2).map(|_| gateway.get("/")).collect();
        assert!(responses.iter().any(|response| response.text() == "b" && response.field("set-cookie").is_some()));
    }
}

mod time {
    use super::*;

    #[test]
    fn a_route_may_be_less_patient_than_its_upstream_also_on_a_connection_that_is_open() {
        let gate = Gate::new();
        let stalled = gate.clone();
        let upstream = Upstream::with(move |call| {
            call.read_body()?;
            if call.request.path == "/slow" {
                stalled.wait();
            }
            call.answer(&Answer::ok("done"))
        });
        let text = "[[listeners]]\naddress = \"{listen}\"\n[upstreams.one]\nendpoints = [\"{upstream}\"]\n\
                    [[routes]]\nupstream = \"one\"\n\
                    [[routes]]\npath = { exact = \"/slow\" }\nupstream = \"one\"\ntimeouts = { first-byte = \"50ms\" }\n";
        let gateway = TestGateway::new().upstream(&upstream).config(text).workers(1).start();
        assert_eq!(gateway.get("/").status, 200);
        assert_eq!(gateway.get("/slow").status, 504, "though the connection has begun with a minute");
        assert_eq!(upstream.connections(), 1);
        gate.open();
    }

    #[test]
    fn an_exchange_as_a_whole_is_bounded() {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::after(&gate));
        let gateway = pool(&[&upstream], "timeouts = { total = \"50ms\" }");
        let response = gateway.get("/");
        assert_eq!((response.status, response.problem().as_str()), (504, "the exchange took too long"));
        gate.open();
    }

    #[test]
    fn a_response_that_comes_for_ever_is_cut() {
        let upstream = Upstream::with(|call| {
            call.read_body()?;
            call.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            // Ends when the gateway closes the connection.
            loop {
                call.write(b"4\r\nmore\r\n")?;
                std::thread::yield_now();
            }
        });
        let gateway = pool(&[&upstream], "timeouts = { total = \"50ms\" }");
        let response = gateway.connect().request(Request::get("/"));
        assert_eq!((response.status, response.complete), (200, false));
    }

    #[test]
    fn a_bound_that_is_not_met_changes_nothing() {
        let upstream = Upstream::answering(Answer::status(200).chunk("a").chunk("b"));
        let gateway = pool(&[&upstream], "timeouts = { total = \"1h\", connect = \"1h\", idle = \"1h\" }");
        (0..2).for_each(|_| assert_eq!(gateway.get("/").text(), "ab"));
        assert_eq!(upstream.connections(), 1);
    }

    #[test]
    fn a_body_may_stand_still_for_as_long_as_the_route_says() {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::status(200).chunk("half").wait(&gate));
        let gateway = pool(&[&upstream], "timeouts = { idle = \"50ms\" }");
        let response = gateway.connect().request(Request::get("/"));
        assert_eq!((response.complete, response.text().as_str()), (false, "half"));
        gate.open();
    }
}

mod configuration {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let problem = |of_route: &str| {
            let text = TestGateway::pool_config("endpoints = [\"127.0.0.1:1\"]", of_route);
            TestGateway::new().config(&text).check().unwrap_err()
        };
        let reasons = "write \"connect\", \"reset\", \"timeout\", a status such as 503, or a class such as \"5xx\"";
        for (of_route, expected) in [
            ("retry = { attempts = 1 }", "retry.attempts: 1 is out of range; write a number from 2 to 10".to_owned()),
            ("retry = { on = [\"never\"] }", format!("retry.on[0]: \"never\" is not a reason to try again; {reasons}")),
            ("retry = { on = [] }", format!("retry.on: is empty; {reasons}")),
            ("retry = { methods = [\"post\"] }", "retry.methods[0]: \"post\" is not in upper case".to_owned()),
            ("retry = { budget = 1.5 }", "retry.budget: 1.5 is out of range".to_owned()),
            ("retry = { tries = 2 }", "retry.tries: unknown key".to_owned()),
            ("timeouts = { total = 5 }", "timeouts.total: is a number, not a duration".to_owned()),
            ("timeouts = { write = \"5s\" }", "timeouts.write: unknown key".to_owned()),
        ] {
            assert!(problem(of_route).contains(&format!("routes[0].{expected}")), "{}", problem(of_route));
        }
    }
}
