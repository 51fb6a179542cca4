//! Stories of discovery: endpoints from DNS and from a file of their own.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::SocketAddr;

use tollgate_tests::{Answer, NameServer, RunningGateway, TestGateway, Upstream, eventually};

/// Short-lived answers are asked for again after a second.
const SHORT: u32 = 1;
const LONG: u32 = 300;

fn named(name: &str) -> Upstream {
    Upstream::answering(Answer::ok(name))
}

/// A gateway whose upstream's endpoints come from that name server.
fn asking(server: &NameServer, source: &str) -> RunningGateway {
    let keys = format!("{source}\nresolver = \"{}\"", server.address());
    TestGateway::new().config(&TestGateway::pool_config(&keys, "")).workers(1).start()
}

fn answers(gateway: &RunningGateway, count: usize) -> Vec<String> {
    let mut answers: Vec<_> = (0..count).map(|_| gateway.get("/").text()).collect();
    answers.sort_unstable();
    answers
}

mod names {
    use super::*;

    #[test]
    fn a_name_stands_for_all_its_addresses() {
        let a = Upstream::start();
        let port = a.address().port();
        let b = Upstream::start_at(SocketAddr::from(([127, 0, 0, 2], port)));
        let server = NameServer::start();
        server.set("orders.internal", LONG, ["127.0.0.1", "127.0.0.2"]);
        let gateway = asking(&server, &format!("dns = {{ name = \"orders.internal\", port = {port} }}"));
        (0..6).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!([a.requests().len(), b.requests().len()], [3, 3]);
        let name = format!("orders.internal:{port} at 127.0.0.2");
        assert_eq!(gateway.endpoint(b.address())["name"], name.as_str());
    }

    #[test]
    fn listed_endpoints_are_found_in_the_same_way() {
        let (a, b) = (named("a"), named("b"));
        let server = NameServer::start();
        server.set("a.internal", LONG, ["127.0.0.1"]);
        let (port, other) = (a.address().port(), b.address());
        let gateway = asking(&server, &format!("endpoints = [\"a.internal:{port}\", \"{other}\"]"));
        assert_eq!(answers(&gateway, 4), ["a", "a", "b", "b"]);
        let questions = server.questions();
        assert_eq!(answers(&gateway, 10).len(), 10);
        assert_eq!(server.questions(), questions, "requests ask nothing");
    }

    #[test]
    fn the_system_is_asked_unless_told_otherwise() {
        let upstream = named("a");
        let keys = format!("endpoints = [\"localhost:{}\"]", upstream.address().port());
        let gateway = TestGateway::new().config(&TestGateway::pool_config(&keys, "")).start();
        assert_eq!(gateway.get("/").text(), "a");
    }

    #[test]
    fn an_upstream_with_addresses_of_the_other_family_only_is_found_too() {
        let upstream = Upstream::start_at("[::1]:0".parse().unwrap());
        let server = NameServer::start();
        server.set("six.internal", LONG, ["::1"]);
        let port = upstream.address().port();
        let gateway = asking(&server, &format!("dns = {{ name = \"six.internal\", port = {port} }}"));
        assert_eq!(gateway.get("/").status, 200);
    }

    #[test]
    fn a_change_is_noticed_when_the_answer_is_out_of_date() {
        let a = Upstream::start();
        let port = a.address().port();
        let b = Upstream::start_at(SocketAddr::from(([127, 0, 0, 2], port)));
        let server = NameServer::start();
        server.set("moving.internal", SHORT, ["127.0.0.1"]);
        let gateway = asking(&server, &format!("dns = {{ name = \"moving.internal\", port = {port} }}"));
        assert_eq!(gateway.get("/").status, 200);
        server.set("moving.internal", SHORT, ["127.0.0.2"]);
        eventually("requests go there", || {
            assert_eq!(gateway.get("/").status, 200);
            !b.requests().is_empty()
        });
        assert_eq!(gateway.endpoint(a.address()), serde_json::Value::Null, "who has gone is forgotten");
    }

    #[test]
    fn what_was_known_last_stays_while_nothing_can_be_found() {
        let upstream = named("a");
        let server = NameServer::start();
        server.set("orders.internal", SHORT, ["127.0.0.1"]);
        let port = upstream.address().port();
        let gateway = asking(&server, &format!("dns = {{ name = \"orders.internal\", port = {port} }}"));
        server.fail(true);
        let failures = "tollgate_upstream_resolution_failures_total{upstream=\"pool\"}";
        eventually("it is asked for in vain", || gateway.metric(failures) >= 1.0);
        assert_eq!(gateway.get("/").text(), "a");
        server.fail(false);
        server.set("orders.internal", SHORT, []);
        let before = gateway.metric(failures);
        eventually("there is nothing to be found", || gateway.metric(failures) > before);
        assert_eq!(gateway.get("/").text(), "a", "no address at all is taken for a failure too");
    }

    #[test]
    fn without_any_answer_requests_are_told_to_come_back() {
        let upstream = named("a");
        let server = NameServer::start();
        let port = upstream.address().port();
        let gateway = asking(&server, &format!("dns = {{ name = \"late.internal\", port = {port} }}"));
        let early = gateway.get("/");
        assert_eq!((early.status, early.field("retry-after")), (503, Some("1")));
        server.set("late.internal", LONG, ["127.0.0.1"]);
        eventually("it is found", || gateway.get("/").status == 200);
    }

    #[test]
    fn a_changed_configuration_keeps_what_was_found() {
        let upstream = named("a");
        let server = NameServer::start();
        server.set("orders.internal", LONG, ["127.0.0.1"]);
        let source = format!("dns = {{ name = \"orders.internal\", port = {} }}", upstream.address().port());
        let gateway = asking(&server, &source);
        assert_eq!(gateway.get("/").text(), "a");
        server.fail(true);
        let keys = format!("{source}\nresolver = \"{}\"\nidle-timeout = \"9s\"", server.address());
        gateway.change(|gateway| gateway.write_config(&TestGateway::pool_config(&keys, "")));
        assert_eq!((gateway.get("/").text(), upstream.connections()), ("a".to_owned(), 1));
    }
}

mod services {
    use super::*;

    #[test]
    fn a_service_says_ports_weights_and_who_comes_first() {
        let (a, b, c) = (named("a"), named("b"), named("c"));
        let server = NameServer::start();
        let port = |upstream: &Upstream| upstream.address().port();
        server.set_service(
            "_http._tcp.orders.internal",
            LONG,
            [(10, 2, port(&a), "one.internal"), (10, 1, port(&b), "one.internal"), (20, 9, port(&c), "one.internal")],
        );
        server.set("one.internal", LONG, ["127.0.0.1"]);
        let gateway = asking(&server, "dns = { srv = \"_http._tcp.orders.internal\" }");
        assert_eq!(answers(&gateway, 6), ["a", "a", "a", "a", "b", "b"]);
    }

    #[test]
    fn servers_without_an_address_leave_their_turn_to_the_next() {
        let upstream = named("a");
        let server = NameServer::start();
        let servers = [(1, 1, 9, "gone.internal"), (2, 0, upstream.address().port(), "here.internal")];
        server.set_service("_http._tcp.orders.internal", LONG, servers);
        server.set("here.internal", LONG, ["127.0.0.1"]);
        let gateway = asking(&server, "dns = { srv = \"_http._tcp.orders.internal\" }");
        assert_eq!(gateway.get("/").text(), "a");
    }

    #[test]
    fn what_is_no_source_is_refused() {
        let problem = |keys: &str| TestGateway::new().config(&TestGateway::pool_config(keys, "")).check().unwrap_err();
        let source = "write { name = \"…\", port = 9000 } or { srv = \"…\" }";
        for (keys, expected) in [
            ("dns = { name = \"a\" }", format!("upstreams.pool.dns: needs name and port, or srv; {source}")),
            (
                "dns = { srv = \"a b\" }",
                "upstreams.pool.dns.srv: \"a b\" is not a domain name; \
                 write it like \"orders.internal\""
                    .to_owned(),
            ),
            (
                "endpoints = [{ adress = \"a:1\" }]",
                "upstreams.pool.endpoints[0].address: is missing; \
                 add address = \"127.0.0.1:9000\""
                    .to_owned(),
            ),
            (
                "endpoints = [\"127.0.0.1:1\", \"127.0.0.1:1\"]",
                "upstreams.pool.endpoints[1]: \"127.0.0.1:1\" is \
                 named twice; name it once, with a weight"
                    .to_owned(),
            ),
            (
                "endpoints = [\"a:1\"]\nresolver = \"dns\"",
                "upstreams.pool.resolver: \"dns\" is not an IP address with \
                 a port; write it like \"127.0.0.1:53\""
                    .to_owned(),
            ),
        ] {
            assert!(problem(keys).contains(&expected), "{}\n{expected}", problem(keys));
        }
    }
}

mod files {
    use super::*;

    fn listed(gateway: TestGateway, text: &str) -> TestGateway {
        gateway.folder().write("orders.toml", text);
        let config = TestGateway::pool_config("endpoints-file = \"orders.toml\"", "");
        gateway.config(&config).workers(1)
    }

    #[test]
    fn a_file_lists_endpoints_and_is_watched() {
        let (a, b) = (named("a"), named("b"));
        let list = |upstreams: &[&Upstream]| {
            let addresses: Vec<_> = upstreams.iter().map(|upstream| format!("\"{}\"", upstream.address())).collect();
            format!("endpoints = [{}]\n", addresses.join(", "))
        };
        let gateway = listed(TestGateway::new(), &list(&[&a])).start();
        assert_eq!(answers(&gateway, 2), ["a", "a"]);
        gateway.change(|gateway| drop(std::fs::write(gateway.path().join("orders.toml"), list(&[&a, &b]))));
        assert_eq!(answers(&gateway, 4), ["a", "a", "b", "b"]);
        assert_eq!(a.connections(), 1, "who stays keeps its connections");
    }

    #[test]
    fn a_bad_file_keeps_what_was_there() {
        let upstream = named("a");
        let good = format!("endpoints = [{{ address = \"{}\", weight = 2 }}]\n", upstream.address());
        let gateway = listed(TestGateway::new(), &good).start();
        for (bad, problem) in [
            ("endpoints = [\"127.0.0.1\"]\n", "orders.toml:1: endpoints[0]: \"127.0.0.1\" has no port"),
            ("endpoints = []\n", "orders.toml:1: endpoints: is empty"),
            ("\nservers = [\"a:1\"]\n", "orders.toml:2: servers: unknown key"),
        ] {
            gateway.change(|gateway| drop(std::fs::write(gateway.path().join("orders.toml"), bad)));
            let rejected = gateway.policies()["rejected-change"]["problems"].to_string();
            assert!(gateway.relative(&rejected).contains(&problem.replace('"', "\\\"")), "{rejected}");
            assert_eq!(gateway.get("/").text(), "a");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_has_another_ending_is_refused() {
        let problem = |file: &str| {
            let config = TestGateway::pool_config(&format!("endpoints-file = \"{file}\""), "");
            TestGateway::new().config(&config).check().unwrap_err()
        };
        assert_eq!(
            problem("missing.toml"),
            "missing.toml: cannot be read: there is no such file; write it, or change upstreams.pool.endpoints-file"
        );
        assert!(problem("list.txt").ends_with(
            "upstreams.pool.endpoints-file: \"list.txt\" does not end in .toml; give it the ending, for it is TOML"
        ));
    }
}
