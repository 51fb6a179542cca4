//! Stories of balancing: which endpoint a request goes to, and how much goes to an upstream at once.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_tests::{Answer, ClosedPort, Gate, Request, Response, RunningGateway, TestGateway, Upstream, eventually};

const TWO: &str = "endpoints = [\"{a}\", \"{b}\"]\n";
const THREE: &str = "endpoints = [\"{a}\", \"{b}\", \"{c}\"]\n";

fn named(name: &str) -> Upstream {
    Upstream::answering(Answer::ok(name))
}

fn pool(upstreams: &[&Upstream], keys: &str) -> RunningGateway {
    TestGateway::new().pool(upstreams, keys, "").workers(1).start()
}

fn counts<const N: usize>(upstreams: [&Upstream; N]) -> [usize; N] {
    upstreams.map(|upstream| upstream.requests().len())
}

/// An upstream that holds requests for `/hold` back until the gate opens.
fn holding(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::with(move |call| {
        call.read_body()?;
        if call.request.path == "/hold" {
            gate.wait();
        }
        call.answer(&Answer::ok("done"))
    })
}

mod choice {
    use super::*;

    #[test]
    fn weights_are_shares() {
        let (a, b) = (named("a"), named("b"));
        let gateway = pool(&[&a, &b], "endpoints = [{ address = \"{a}\", weight = 3 }, \"{b}\"]");
        (0..8).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!(counts([&a, &b]), [6, 2]);
    }

    #[test]
    fn the_less_busy_one_is_chosen() {
        let gate = Gate::new();
        let (a, b) = (holding(&gate), holding(&gate));
        let gateway = pool(&[&a, &b], &format!("{TWO}balance = \"least-requests\""));
        let mut held = gateway.connect();
        held.send(&Request::get("/hold"));
        eventually("it is held", || counts([&a, &b]).iter().sum::<usize>() == 1);
        let (busy, free) = if a.requests().is_empty() { (&b, &a) } else { (&a, &b) };
        (0..8).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!(counts([busy, free]), [1, 8]);
        gate.open();
        assert_eq!(held.response().status, 200);
    }

    #[test]
    fn the_same_header_goes_to_the_same_endpoint_also_when_others_go() {
        let (a, b, c) = (named("a"), named("b"), named("c"));
        let hashed = "balance = { hash = \"header:x-user\" }";
        let gateway = pool(&[&a, &b, &c], &format!("{THREE}{hashed}"));
        let of_user = |user: usize| gateway.send(Request::get("/").field("x-user", &user.to_string())).text();
        let before: Vec<String> = (0..40).map(of_user).collect();
        assert_eq!((0..40).map(of_user).collect::<Vec<_>>(), before);
        assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), 3, "all have their share");
        gateway.change(|gateway| gateway.write_config(&TestGateway::pool_config(&format!("{TWO}{hashed}"), "")));
        let after: Vec<String> = (0..40).map(of_user).collect();
        let strayed = before.iter().zip(&after).filter(|(before, after)| *before != "c" && before != after).count();
        assert!(strayed <= 4, "{strayed} of 40 went elsewhere without need");
        assert!(!after.contains(&"c".to_owned()));
    }

    #[test]
    fn cookies_and_client_addresses_can_be_hashed_and_what_is_missing_takes_turns() {
        let (a, b) = (named("a"), named("b"));
        let gateway = pool(&[&a, &b], &format!("{TWO}balance = {{ hash = \"cookie:user\" }}"));
        let of = |user: &str| gateway.send(Request::get("/").field("cookie", &format!("x=1; user={user}"))).text();
        let distinct = |texts: Vec<String>| texts.into_iter().collect::<BTreeSet<_>>().len();
        assert_eq!(distinct((0..5).map(|_| of("alice")).collect()), 1);
        assert_eq!(distinct((0..30).map(|user| of(&user.to_string())).collect()), 2);
        assert_eq!(distinct((0..2).map(|_| gateway.get("/").text()).collect()), 2);
        let gateway = pool(&[&a, &b], &format!("{TWO}balance = {{ hash = \"client-address\" }}"));
        assert_eq!(distinct((0..5).map(|_| gateway.get("/").text()).collect()), 1);
    }

    #[test]
    fn a_hashed_request_goes_elsewhere_if_nobody_listens() {
        let (a, port) = (named("a"), ClosedPort::new());
        let keys = "endpoints = [\"{a}\", \"{closed}\"]\nbalance = { hash = \"header:x-user\" }";
        let gateway = TestGateway::new().word("closed", &port.address().to_string()).pool(&[&a], keys, "");
        let gateway = gateway.workers(1).start();
        for user in 0..20 {
            assert_eq!(gateway.send(Request::get("/").field("x-user", &user.to_string())).text(), "a");
        }
    }

    #[test]
    fn unknown_ways_to_balance_are_refused() {
        let problems = |keys: &str| {
            let text = TestGateway::pool_config(&format!("endpoints = [\"127.0.0.1:1\"]\n{keys}"), "");
            let problems = TestGateway::new().config(&text).check().unwrap_err();
            problems.split_once(": ").map(|(_, problem)| problem.to_owned()).unwrap_or(problems)
        };
        for (keys, problem) in [
            (
                "balance = \"random\"",
                "upstreams.pool.balance: \"random\" is not a way to balance; \
                 write \"round-robin\", \"least-requests\" or { hash = \"client-address\" }",
            ),
            (
                "balance = { hash = \"ip\" }",
                "upstreams.pool.balance.hash: \"ip\" is not something to hash; \
                 write \"client-address\", \"header:NAME\" or \"cookie:NAME\"",
            ),
            (
                "sticky = { cookie = \"a b\" }",
                "upstreams.pool.sticky.cookie: \"a b\" is not the name of a cookie; write letters, digits and dashes",
            ),
            (
                "limits = { pending = 3 }",
                "upstreams.pool.limits.pending: bounds who waits for a connection, but connections are not bounded; \
                 add connections",
            ),
            (
                "panic-threshold = 2",
                "upstreams.pool.panic-threshold: 2 is out of range; \
                 write a number from 0 to 1, such as 0.5, without quotes",
            ),
            (
                "dns = { name = \"a\", port = 1 }",
                "upstreams.pool: has more than one of endpoints, endpoints-file and dns; keep one of them",
            ),
            ("helth = { tcp = true }", "upstreams.pool.helth: unknown key; did you mean \"health\"?"),
        ] {
            assert_eq!(problems(keys), problem);
        }
    }
}

mod stickiness {
    use super::*;

    const STICKY: &str = "sticky = { cookie = \"gw\", ttl = \"1h\" }";

    fn cookie(response: &Response) -> Option<String> {
        let cookie = response.fields.all("set-cookie").into_iter().find(|cookie| cookie.starts_with("gw="))?;
        Some(cookie.split(';').next().unwrap().to_owned())
    }

    #[test]
    fn a_client_comes_back_to_its_endpoint() {
        let (a, b) = (named("a"), named("b"));
        let gateway = pool(&[&a, &b], &format!("{TWO}{STICKY}"));
        let first = gateway.get("/");
        let full = first.field("set-cookie").unwrap();
        assert!(full.ends_with("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"), "{full}");
        let cookie = cookie(&first).unwrap();
        assert!(!cookie.contains("127.0.0.1") && cookie.len() == 35, "{cookie} tells nothing");
        for _ in 0..4 {
            let again = gateway.send(Request::get("/").field("cookie", &cookie));
            assert_eq!((again.text(), again.field("set-cookie")), (first.text(), None));
        }
        let other = gateway.get("/");
        assert_ne!(other.text(), first.text(), "others take turns");
    }

    #[test]
    fn a_cookie_that_was_made_up_or_is_out_of_date_is_replaced() {
        let (a, b) = (named("a"), named("b"));
        let gateway = pool(&[&a, &b], &format!("{TWO}{STICKY}"));
        let made_up = gateway.send(Request::get("/").field("cookie", "gw=0123456789abcdef0123456789abcdef"));
        assert!(cookie(&made_up).is_some());
        let to_b = (0..2).map(|_| gateway.get("/")).find(|response| response.text() == "b").unwrap();
        let only_a = format!("endpoints = [\"{{a}}\"]\n{STICKY}");
        gateway.change(|gateway| gateway.write_config(&TestGateway::pool_config(&only_a, "")));
        let moved = gateway.send(Request::get("/").field("cookie", &cookie(&to_b).unwrap()));
        assert_eq!(moved.text(), "a");
        assert_ne!(cookie(&moved), cookie(&to_b));
    }
}

mod bounds {
    use super::*;

    #[test]
    fn more_requests_than_allowed_are_turned_away() {
        let gate = Gate::new();
        let upstream = holding(&gate);
        let gateway = pool(&[&upstream], "endpoints = [\"{a}\"]\nlimits = { requests = 1 }");
        let mut held = gateway.connect();
        held.send(&Request::get("/hold"));
        eventually("it is held", || upstream.requests().len() == 1);
        let refused = gateway.get("/");
        assert_eq!((refused.status, refused.field("retry-after")), (503, Some("1")));
        assert_eq!(refused.problem(), "the upstream cannot take this request now");
        let metric = "tollgate_upstream_rejections_total{upstream=\"pool\",bound=\"requests\"}";
        assert_eq!(gateway.metric(metric), 1.0);
        gate.open();
        assert_eq!(held.response().status, 200);
        eventually("there is room again", || gateway.get("/").status == 200);
    }

    #[test]
    fn requests_wait_for_a_connection_as_far_as_allowed() {
        let gate = Gate::new();
        let upstream = holding(&gate);
        let gateway = pool(&[&upstream], "endpoints = [\"{a}\"]\nlimits = { connections = 1, pending = 1 }");
        let (mut held, mut waiting) = (gateway.connect(), gateway.connect());
        held.send(&Request::get("/hold"));
        eventually("it is held", || upstream.requests().len() == 1);
        waiting.send(&Request::get("/waits"));
        // Whether it waits already cannot be seen; one of the two does, and the other is turned away.
        let mut third = gateway.connect();
        third.send(&Request::get("/third"));
        let rejections = "tollgate_upstream_rejections_total{upstream=\"pool\",bound=\"connections\"}";
        eventually("one is turned away", || gateway.metric(rejections) == 1.0);
        gate.open();
        let mut statuses = [waiting.response().status, third.response().status];
        statuses.sort_unstable();
        assert_eq!((held.response().status, statuses), (200, [200, 503]));
        assert_eq!(upstream.connections(), 1);
    }

    #[test]
    fn a_connection_that_another_worker_needs_is_given_up() {
        let upstream = named("a");
        let keys = "endpoints = [\"{a}\"]\nlimits = { connections = 1 }";
        let gateway = TestGateway::new().pool(&[&upstream], keys, "").workers(4).start();
        (0..12).for_each(|_| assert_eq!(gateway.get("/").status, 200, "whichever worker it comes to"));
        assert!(upstream.connections() > 1, "workers have connections of their own");
    }

    #[test]
    fn connections_are_bounded_over_all_workers() {
        let gate = Gate::new();
        let upstream = holding(&gate);
        let keys = "endpoints = [\"{a}\"]\nlimits = { connections = 2, pending = 50 }";
        let gateway = TestGateway::new().pool(&[&upstream], keys, "").workers(3).start();
        let mut clients: Vec<_> = (0..12).map(|_| gateway.connect()).collect();
        clients.iter_mut().for_each(|client| client.send(&Request::get("/hold")));
        eventually("two are held", || upstream.requests().len() == 2);
        assert_eq!(upstream.open_connections(), 2);
        gate.open();
        clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    }
}

mod connections {
    use super::*;

    #[test]
    fn old_connections_take_no_more_requests() {
        let upstream = named("a");
        let gateway = pool(&[&upstream], "endpoints = [\"{a}\"]\nmax-lifetime = \"20ms\"");
        eventually("connections are replaced", || {
            assert_eq!(gateway.get("/").status, 200);
            upstream.connections() >= 3
        });
    }

    #[test]
    fn no_more_are_kept_than_allowed() {
        let upstream = named("a");
        let gateway = pool(&[&upstream], "endpoints = [\"{a}\"]\nidle-connections = 0");
        (0..3).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!(upstream.connections(), 3);
    }

    #[test]
    fn some_are_opened_ahead() {
        let upstream = named("a");
        let gateway = pool(&[&upstream], "endpoints = [\"{a}\"]\nwarm = 2");
        eventually("two are there", || upstream.connections() == 2);
        (0..4).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!(upstream.connections(), 2, "requests use them");
    }

    #[test]
    fn an_endpoint_that_stays_keeps_its_connections() {
        let (a, b) = (named("a"), named("b"));
        let gateway = pool(&[&a, &b], "endpoints = [\"{a}\"]");
        assert_eq!(gateway.get("/").text(), "a");
        gateway.change(|gateway| gateway.write_config(&TestGateway::pool_config(TWO, "")));
        let answers: BTreeSet<_> = (0..4).map(|_| gateway.get("/").text()).collect();
        assert_eq!(answers.len(), 2);
        assert_eq!((a.connections(), b.connections()), (1, 1));
        assert_eq!(gateway.endpoint(a.address())["requests"], 3, "and what was counted");
    }

    #[test]
    fn a_connection_whose_request_is_not_over_serves_nobody_else() {
        let upstream = Upstream::with(|call| {
            let early = call.answer(&Answer::ok("early"))?;
            call.read_body()?;
            Ok(early)
        });
        let patient =
            format!("[limits]\nbody-idle = \"1h\"\n{}", TestGateway::pool_config("endpoints = [\"{a}\"]", ""));
        let gateway = TestGateway::new().word("a", &upstream.address().to_string()).config(&patient).workers(1).start();
        let mut slow = gateway.connect();
        slow.send(&Request::new("POST", "/").field("content-length", "8"));
        slow.write("half");
        assert_eq!(slow.response().text(), "early");
        assert_eq!(gateway.get("/").text(), "early", "it does not wait for the rest of somebody's body");
        assert_eq!(upstream.connections(), 2);
    }

    #[test]
    fn all_workers_use_all_endpoints() {
        let upstreams: Vec<Arc<Upstream>> = (0..3).map(|index| Arc::new(named(&index.to_string()))).collect();
        let refs: Vec<&Upstream> = upstreams.iter().map(AsRef::as_ref).collect();
        let gateway = TestGateway::new().pool(&refs, THREE, "").workers(2).start();
        (0..30).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert!(upstreams.iter().all(|upstream| upstream.requests().len() >= 9), "turns are fair on each worker");
    }
}
