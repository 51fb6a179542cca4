//! Stories of the program from its start to its end, and of what it tells about itself.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use tollgate_tests::{Answer, Binary, Connection, Gate, Request, TestGateway, Upstream, eventually, guest};

/// Knows `alice-key`, in the header or as `?key=`.
const KEYS: &str = r#"
[config]
query = "key"
keys = [{ consumer = "alice", sha256 = "72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20" }]
"#;

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

/// An upstream that answers when the gate opens.
fn gated(gate: &Gate) -> Upstream {
    Upstream::answering(Answer::status(200).wait(gate).body("done"))
}

fn admin(binary: &Binary, path: &str) -> tollgate_tests::Response {
    Connection::open(binary.admin_address()).request(Request::get(path))
}

mod end {
    use super::*;

    fn refused(binary: &Binary) {
        let address = binary.address();
        eventually("nobody is let in any more", || Connection::try_open(address).is_err());
    }

    #[test]
    fn on_a_signal_what_is_under_way_ends_and_nothing_begins() {
        for signal in ["TERM", "INT"] {
            let gate = Gate::new();
            let upstream = gated(&gate);
            let binary = TestGateway::new().upstream(&upstream).run(&ADMIN);
            let mut client = Connection::open(binary.address());
            client.send(&Request::get("/"));
            eventually("it is under way", || upstream.requests().len() == 1);
            binary.signal(signal);
            binary.line(&["draining"]);
            refused(&binary);
            let ready = admin(&binary, "/ready");
            assert_eq!((ready.status, ready.text().as_str(), admin(&binary, "/live").status), (503, "draining\n", 200));
            gate.open();
            let response = client.response();
            assert_eq!((response.text().as_str(), response.complete), ("done", true));
            client.expect_close();
            let finished = binary.wait();
            assert!(finished.status.success() && finished.stderr.contains("stopped"), "{finished:?}");
        }
    }

    #[test]
    fn on_a_signal_connections_that_wait_for_a_request_are_closed() {
        let upstream = Upstream::start();
        let binary = TestGateway::new().upstream(&upstream).run(&[]);
        let (mut idle, mut unused) = (Connection::open(binary.address()), Connection::open(binary.address()));
        assert_eq!(idle.request(Request::get("/")).status, 200);
        binary.signal("TERM");
        idle.expect_close();
        unused.expect_close();
        assert!(binary.wait().status.success());
    }

    #[test]
    fn a_response_that_has_begun_is_sent_to_its_end() {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::status(200).chunk("one ").wait(&gate).chunk("two"));
        let binary = TestGateway::new().upstream(&upstream).run(&[]);
        let mut client = Connection::open(binary.address());
        client.send(&Request::get("/"));
        eventually("it is under way", || upstream.requests().len() == 1);
        binary.signal("TERM");
        binary.line(&["draining"]);
        gate.open();
        assert_eq!(client.response().text(), "one two");
        assert!(binary.wait().status.success());
    }

    #[test]
    fn what_does_not_end_in_the_drain_time_is_cut() {
        let gate = Gate::new();
        let upstream = gated(&gate);
        let config = "[limits]\ndrain = \"50ms\"\n[[listeners]]\naddress = \"{listen}\"\n\
                      [upstreams.only]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"only\"\n";
        let binary = TestGateway::new().upstream(&upstream).config(config).run(&[]);
        let mut client = Connection::open(binary.address());
        client.send(&Request::get("/"));
        eventually("it is under way", || upstream.requests().len() == 1);
        binary.signal("TERM");
        client.expect_close();
        binary.line(&["connections cut: the drain time is over"]);
        assert!(binary.wait().status.success());
        gate.open();
    }

    #[test]
    fn a_gateway_in_a_program_drains_too() {
        let gate = Gate::new();
        let upstream = gated(&gate);
        let gateway = TestGateway::new().upstream(&upstream).start();
        let mut client = gateway.connect();
        client.send(&Request::get("/"));
        eventually("it is under way", || upstream.requests().len() == 1);
        let (address, stopping) = (gateway.address(), std::thread::spawn(|| gateway.shutdown()));
        eventually("nobody is let in any more", || Connection::try_open(address).is_err());
        gate.open();
        assert_eq!(client.response().text(), "done");
        stopping.join().unwrap();
    }
}

mod reload {
    use super::*;

    #[test]
    fn a_hangup_reads_everything_again() {
        let upstream = Upstream::start();
        let binary = TestGateway::new().upstream(&upstream).run(&[]);
        let mut client = Connection::open(binary.address());
        assert_eq!(client.request(Request::get("/")).status, 200);
        binary.signal("HUP");
        binary.line(&["reloaded", "generation=2"]);
        assert_eq!(client.request(Request::get("/")).status, 200, "the connection is still there");
    }
}

mod admin_pages {
    use super::*;

    #[test]
    fn there_are_none_unless_asked_for() {
        let upstream = Upstream::start();
        let binary = TestGateway::new().upstream(&upstream).run(&[]);
        assert_eq!(binary.get("/metrics").echo().path, "/metrics", "it is traffic like any other");
        assert!(!binary.lines().iter().any(|line| line.contains("admin")), "{:?}", binary.lines());
    }

    #[test]
    fn a_config_file_may_ask_for_them() {
        let upstream = Upstream::start();
        let config = "admin = { address = \"{listen}\" }\n[[listeners]]\naddress = \"{listen}\"\n\
                      [upstreams.only]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"only\"\n";
        let binary = TestGateway::new().upstream(&upstream).config(config).run(&[]);
        eventually("it is ready", || admin(&binary, "/ready").text() == "ready\n");
    }

    #[test]
    fn it_lives_and_is_ready() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).start();
        let (live, ready) = (gateway.admin("/live"), gateway.admin("/ready"));
        assert_eq!((live.status, live.text().as_str()), (200, "live\n"));
        assert_eq!((ready.status, ready.text().as_str()), (200, "ready\n"));
    }

    #[test]
    fn it_lives_and_is_not_ready_before_it_serves() {
        let upstream = Upstream::start();
        // Takes its time, and fails then.
        let slow = "[config]\nin = \"configure\"\ndo = \"loop\"\n[limits]\nconfigure = \"10s\"\n";
        let gateway = TestGateway::new().upstream(&upstream).module("10-m", guest("misbehave")).policy("10-m", slow);
        let binary = gateway.run(&ADMIN);
        let (live, ready, policies) = (admin(&binary, "/live"), admin(&binary, "/ready"), admin(&binary, "/policies"));
        assert_eq!((live.status, ready.status, ready.text().as_str()), (200, 503, "starting\n"));
        assert_eq!((policies.status, admin(&binary, "/metrics").status), (503, 200));
        assert!(!binary.lines().iter().any(|line| line.contains("listening")), "{:?}", binary.lines());
    }

    #[test]
    fn other_pages_and_methods_are_not_there() {
        let upstream = Upstream::start();
        let binary = TestGateway::new().upstream(&upstream).run(&ADMIN);
        let page = admin(&binary, "/");
        let pages = "the pages are /live, /ready, /metrics, /policies, /routes, /upstreams, /catalogue, /history, /faults and \
                     /events\n";
        assert_eq!((page.status, page.text().as_str()), (404, pages));
        let post = Connection::open(binary.admin_address()).request(Request::post("/ready", ""));
        assert_eq!((post.status, post.field("allow")), (405, Some("GET, HEAD")));
        let head = Connection::open(binary.admin_address()).request(Request::new("HEAD", "/metrics"));
        assert_eq!((head.status, head.body.len()), (200, 0));
    }

    #[test]
    fn metrics_are_for_prometheus() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-api-key", KEYS).start();
        (0..3).for_each(|_| assert_eq!(gateway.get("/?key=alice-key").status, 200));
        assert_eq!(gateway.get("/").status, 401);
        let page = gateway.admin("/metrics");
        assert_eq!(page.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        for line in page.text().lines() {
            let sample = line.rsplit_once(' ').filter(|(name, value)| !name.is_empty() && value.parse::<f64>().is_ok());
            assert!(
                line.starts_with("# HELP tollgate_") || line.starts_with("# TYPE tollgate_") || sample.is_some(),
                "{line}"
            );
        }
        eventually("all exchanges have ended", || gateway.metric("tollgate_exchanges_open") == 0.0);
        for (name, value) in [
            ("tollgate_responses_total{route=\"route-1\",class=\"2xx\"}", 3.0),
            ("tollgate_responses_total{route=\"route-1\",class=\"4xx\"}", 1.0),
            ("tollgate_exchange_duration_seconds_count{route=\"route-1\"}", 4.0),
            ("tollgate_filter_replies_total{policy=\"10-api-key\"}", 1.0),
            ("tollgate_upstream_requests_total{upstream=\"upstream\"}", 3.0),
            ("tollgate_connections_total", 4.0),
            ("tollgate_snapshot_generation", 1.0),
        ] {
            assert_eq!(gateway.metric(name), value, "{name}");
        }
        let of_policy = |name: &str| gateway.metric(&format!("tollgate_filter_{name}_total{{policy=\"10-api-key\"}}"));
        assert_eq!(of_policy("calls") + of_policy("remembered"), 4.0);
    }

    #[test]
    fn policies_are_told_with_digest_and_state() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-api-key", KEYS).start();
        let policy = gateway.policy("10-api-key");
        assert_eq!((&policy["filter"], &policy["state"]), (&"api-key".into(), &"live".into()));
        assert!(
            policy["last-error"].is_null() && policy["digest"].as_str().unwrap().len() == "sha256:".len() + 64,
            "{policy}"
        );
        gateway.change(|gateway| gateway.write_policy("10-api-key", "[config]\nkeys = []\n"));
        let policy = gateway.policy("10-api-key");
        assert_eq!(policy["state"], "kept");
        let error = gateway.relative(policy["last-error"].as_str().unwrap());
        assert!(error.starts_with("policies/10-api-key.toml:2: config.keys: is empty"), "{error}");
        assert_eq!(gateway.get("/?key=alice-key").status, 200, "what was there serves on");
    }

    #[test]
    fn a_config_file_that_is_rejected_is_told() {
        let upstream = Upstream::start();
        let config = "[[listeners]]\naddress = \"{listen}\"\n[upstreams.only]\nendpoints = [\"{upstream}\"]\n[[routes]]\nupstream = \"only\"\n";
        let gateway = TestGateway::new().upstream(&upstream).config(config).start();
        assert!(gateway.policies()["rejected-change"].is_null());
        gateway.change(|gateway| gateway.write_config(&config.replace("[[routes]]", "[[rotues]]")));
        let problems = gateway.policies()["rejected-change"]["problems"].as_str().unwrap_or_default().to_owned();
        assert_eq!(gateway.relative(&problems), "tollgate.toml:5: rotues: unknown key; did you mean \"routes\"?");
        assert_eq!((gateway.generation(), gateway.get("/").status), (1, 200));
        gateway.change(|gateway| gateway.write_config(config));
        assert!(gateway.policies()["rejected-change"].is_null());
    }
}

mod log {
    use super::*;

    #[test]
    fn each_exchange_has_a_line_on_demand() {
        let upstream = Upstream::answering(Answer::ok("four"));
        let binary = TestGateway::new().upstream(&upstream).policy("10-api-key", KEYS).run(&["--access-log"]);
        let mut client = Connection::open(binary.address());
        client.request(Request::get("/orders/7?key=alice-key&x=secret").field("host", "api.example.com"));
        let line = binary.line(&["access"]);
        let from = format!("client={}", client.local_address());
        for part in [
            from.as_str(),
            "listener=\"listener-1\"",
            "method=\"GET\"",
            "host=\"api.example.com\"",
            "path=\"/orders/7\"",
            "route=\"route-1\"",
            "consumer=\"alice\"",
            "status=200",
            "bytes=4",
            "ms=",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }

    #[test]
    fn no_secret_is_in_the_log() {
        let upstream = Upstream::start();
        let binary = TestGateway::new().upstream(&upstream).policy("10-api-key", KEYS).run(&["--access-log"]);
        let send = |request| Connection::open(binary.address()).request(request).status;
        assert_eq!(send(Request::get("/?key=alice-key")), 200);
        assert_eq!(send(Request::get("/").field("x-api-key", "alice-key").field("authorization", "alice-key")), 200);
        assert_eq!(send(Request::get("/?key=wrong-key")), 401);
        binary.signal("TERM");
        let log = binary.wait().stderr;
        assert_eq!(log.matches("access").count(), 3, "{log}");
        assert!(!log.contains("-key&") && !log.contains("alice-key") && !log.contains("wrong-key"), "{log}");
    }

    #[test]
    fn there_is_no_access_line_unless_asked_for() {
        let upstream = Upstream::start();
        let binary = TestGateway::new().upstream(&upstream).run(&[]);
        assert_eq!(binary.get("/").status, 200);
        binary.signal("TERM");
        let log = binary.wait().stderr;
        assert!(!log.contains("access") && !log.contains('\u{1b}'), "{log}");
    }

    #[test]
    fn an_exchange_without_a_route_has_a_line_too() {
        let upstream = Upstream::start();
        let config = "access-log = true\n[[listeners]]\naddress = \"{listen}\"\n[upstreams.only]\nendpoints = [\"{upstream}\"]\n\
                      [[routes]]\npath = { exact = \"/only\" }\nupstream = \"only\"\n";
        let binary = TestGateway::new().upstream(&upstream).config(config).run(&[]);
        assert_eq!(binary.get("/other").status, 404);
        let line = binary.line(&["access", "path=\"/other\"", "status=404"]);
        assert!(!line.contains("route="), "{line}");
    }

    #[test]
    fn lines_may_be_json() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).policy("10-api-key", KEYS);
        let binary = gateway.run(&["--access-log", "--log-format", "json"]);
        assert_eq!(binary.get("/?key=alice-key").status, 200);
        binary.signal("TERM");
        let log = binary.wait().stderr;
        let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let access = lines.iter().find(|line| line["message"] == "access").unwrap();
        assert_eq!(
            (&access["status"], &access["path"], &access["consumer"]),
            (&200.into(), &"/".into(), &"alice".into())
        );
        assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{log}");
    }

    #[test]
    fn how_much_is_logged_is_up_to_the_environment() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream);
        let binary = gateway.run_with(&[("TOLLGATE_LOG", "tollgate=debug")], &[]);
        let mut client = Connection::open(binary.address());
        client.write("nonsense\r\n\r\n");
        assert_eq!(client.response().status, 400);
        binary.line(&["DEBUG", "request refused", "request-line"]);
    }
}
