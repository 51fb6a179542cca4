//! Stories of what filters let operators see: their metrics, their log.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::{RunningGateway, TestGateway, Upstream, guest, guest_component};

/// A gateway for each kind of module.
fn both_kinds(upstream: &Upstream, policy: &str) -> [RunningGateway; 2] {
    [guest("observe"), guest_component("observe")]
        .map(|module| TestGateway::new().upstream(upstream).module("10-o", module).policy("10-o", policy).start())
}

mod metrics {
    use super::*;

    #[test]
    fn counters_gauges_and_histograms_are_on_the_page() {
        let upstream = Upstream::start();
        for gateway in both_kinds(&upstream, "") {
            for target in ["/count?a", "/count?a", "/count?bc", "/level?-7.5", "/size?0.5", "/size?100"] {
                assert_eq!(gateway.get(target).status, 200, "{target}");
            }
            let metrics = [
                (r#"counted_total{policy="10-o",what="a",length="1"}"#, 4.0),
                (r#"counted_total{policy="10-o",what="bc",length="2"}"#, 2.0),
                (r#"level{policy="10-o"}"#, 92.5),
                (r#"sizes_bucket{policy="10-o",le="1"}"#, 1.0),
                (r#"sizes_bucket{policy="10-o",le="+Inf"}"#, 2.0),
                (r#"sizes_sum{policy="10-o"}"#, 100.5),
            ];
            for (name, value) in metrics {
                assert_eq!(gateway.metric(&format!("tollgate_filter_{name}")), value, "{name}");
            }
            let page = gateway.admin("/metrics").text();
            assert!(page.contains("# HELP tollgate_filter_counted_total what was counted\n"), "{page}");
            assert!(page.contains("# TYPE tollgate_filter_sizes histogram\n"), "{page}");
        }
    }

    #[test]
    fn whatever_clients_send_the_page_stays_of_a_size() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("10-o", guest("observe")).start();
        let mut connection = gateway.connect();
        for number in 0..300 {
            connection.request(tollgate_tests::Request::get(&format!("/count?{number}")));
        }
        let page = gateway.admin("/metrics").text();
        let series = page.lines().filter(|line| line.starts_with("tollgate_filter_counted_total{")).count();
        assert_eq!(series, 101);
        let rest = r#"tollgate_filter_counted_total{policy="10-o",what="other",length="other"}"#;
        assert_eq!(gateway.metric(rest), 400.0);
    }

    #[test]
    fn policies_that_count_the_same_share_a_family() {
        let upstream = Upstream::start();
        let module = guest("observe");
        let gateway = TestGateway::new().upstream(&upstream).module("10-o", &module).module("20-o", &module).start();
        assert_eq!(gateway.get("/level?1").status, 200);
        let page = gateway.admin("/metrics").text();
        assert_eq!(page.matches("# TYPE tollgate_filter_level gauge").count(), 1);
        for policy in ["10-o", "20-o"] {
            assert_eq!(gateway.metric(&format!("tollgate_filter_level{{policy={policy:?}}}")), 101.0);
        }
    }

    #[test]
    fn a_version_goes_on_counting_where_the_one_before_stopped() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("10-o", guest("observe")).start();
        gateway.get("/count?a");
        gateway.change(|gateway| gateway.write_policy("10-o", "config = { gauge = \"more\" }"));
        gateway.get("/count?a");
        assert_eq!(gateway.metric(r#"tollgate_filter_counted_total{policy="10-o",what="a",length="1"}"#), 4.0);
    }

    #[test]
    fn a_name_that_cannot_be_is_an_error_the_filter_can_tell() {
        let upstream = Upstream::start();
        for (name, expected) in [
            ("Level", "gauge: \"Level\" is not a name of a metric"),
            ("calls_total", "gauge: the gateway has a metric of that name itself"),
            ("sizes", "gauge: there is a histogram of that name"),
        ] {
            for module in [guest("observe"), guest_component("observe")] {
                let policy = format!("config = {{ gauge = {name:?} }}");
                let gateway = TestGateway::new().upstream(&upstream).module("10-o", module).policy("10-o", &policy);
                let problem = gateway.check().unwrap_err();
                assert!(problem.contains(expected), "{problem}");
            }
        }
    }

    #[test]
    fn a_wrong_number_of_labels_is_a_fault() {
        let upstream = Upstream::start();
        for gateway in both_kinds(&upstream, "") {
            assert_eq!(gateway.get("/trap").status, 503);
            assert_eq!(gateway.metric(r#"tollgate_filter_faults_total{policy="10-o",class="refused"}"#), 1.0);
        }
    }
}

mod log {
    use super::*;

    #[test]
    fn a_line_says_whose_it_is_and_has_its_attributes() {
        let upstream = Upstream::start();
        for module in [guest("observe"), guest_component("observe")] {
            let gateway = TestGateway::new().upstream(&upstream).module("10-o", module);
            let program = gateway.run(&["--log-format", "json"]);
            assert_eq!(program.get("/log?1").status, 200);
            let line: serde_json::Value = serde_json::from_str(&program.line(&["line 0"])).unwrap();
            assert_eq!(
                (&line["policy"], &line["route"], &line["message"]),
                (&"10-o".into(), &"route-1".into(), &"line 0".into())
            );
            let attributes: serde_json::Value = serde_json::from_str(line["attributes"].as_str().unwrap()).unwrap();
            assert_eq!(attributes, serde_json::json!({ "kind": "test \"1\"", "path": "/log" }));
        }
    }

    #[test]
    fn a_policy_cannot_flood_the_log() {
        let upstream = Upstream::start();
        let program = TestGateway::new().upstream(&upstream).module("10-o", guest("observe")).run(&[]);
        for _ in 0..40 {
            assert_eq!(program.get("/log?64").status, 200);
        }
        program.signal("TERM");
        let written = program.wait().stderr.lines().filter(|line| line.contains("10-o")).count();
        // A thousand at once, and some while this went on.
        assert!((1_000..2_000).contains(&written), "{written}");
    }
}

mod events {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpStream;

    use serde_json::Value;
    use tollgate_tests::PATIENCE;

    use super::*;

    /// Somebody who listens.
    struct Listener(BufReader<TcpStream>);

    impl Listener {
        fn to(gateway: &RunningGateway, query: &str, accept: &str) -> Self {
            let mut stream = TcpStream::connect(gateway.inner().admin_address().unwrap()).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            write!(stream, "GET /events{query} HTTP/1.0\r\nhost: a\r\naccept: {accept}\r\n\r\n").unwrap();
            let mut listener = Self(BufReader::new(stream));
            assert!(listener.line().starts_with("HTTP/1.0 200"));
            while !listener.line().is_empty() {}
            listener
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "it has ended");
            line.trim_end().to_owned()
        }

        fn event(&mut self) -> Value {
            let line = std::iter::repeat_with(|| self.line()).find(|line| line.starts_with(['{', 'd'])).unwrap();
            serde_json::from_str(line.trim_start_matches("data: ")).unwrap()
        }
    }

    #[test]
    fn whoever_listens_hears_a_policy_s_log_and_its_faults() {
        let upstream = Upstream::start();
        for module in [guest("observe"), guest_component("observe")] {
            let gateway =
                TestGateway::new().upstream(&upstream).module("10-o", &module).module("20-o", &module).start();
            let mut listener = Listener::to(&gateway, "?policy=10%2do", "*/*");
            assert_eq!(listener.line(), "", "from now on nothing is missed");
            assert_eq!(gateway.get("/log?1").status, 200);
            let log = listener.event();
            assert_eq!((&log["event"], &log["policy"], &log["level"]), (&"log".into(), &"10-o".into(), &"info".into()));
            assert_eq!((&log["message"], &log["route"]), (&"line 0".into(), &"route-1".into()));
            assert_eq!(log["attributes"]["path"], "/log");
            assert_eq!(gateway.get("/trap").status, 503);
            let fault = listener.event();
            assert_eq!((&fault["event"], &fault["class"]), (&"fault".into(), &"refused".into()), "{fault}");
            assert!(fault["message"].as_str().unwrap().contains("labels"), "{fault}");
            // It is on the page as well, for who comes later.
            let faults = gateway.admin("/faults?policy=10-o").json();
            assert_eq!(faults["faults"][0], fault);
            assert_eq!(gateway.admin("/faults?policy=20-o").json()["faults"], serde_json::json!([]));
        }
    }

    #[test]
    fn browsers_get_an_event_stream_and_who_has_enough_goes() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("10-o", guest("observe")).start();
        let mut listeners: Vec<_> = (0..16).map(|_| Listener::to(&gateway, "", "text/event-stream")).collect();
        assert_eq!(listeners[0].line(), ":");
        assert_eq!(gateway.get("/log?1").status, 200);
        listeners.iter_mut().for_each(|listener| assert_eq!(listener.event()["message"], "line 0"));
        assert_eq!(gateway.admin("/events").status, 503, "they are bounded");
        drop(listeners);
        tollgate_tests::eventually("there is room again", || {
            // Those who have gone are noticed when they are sent something.
            gateway.get("/log?64");
            let mut stream = TcpStream::connect(gateway.inner().admin_address().unwrap()).unwrap();
            write!(stream, "GET /events HTTP/1.0\r\n\r\n").unwrap();
            let mut status = String::new();
            BufReader::new(stream).read_line(&mut status).unwrap();
            status.contains("200")
        });
        // Nobody waits for who still listens.
        let mut last = Listener::to(&gateway, "", "*/*");
        gateway.shutdown();
        let mut rest = String::new();
        while last.0.read_line(&mut rest).unwrap_or(0) > 0 {}
    }
}
