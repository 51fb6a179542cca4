//! Stories of traces: what upstreams, filters and logs are told, and what a collector gets.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use serde_json::Value;
use tollgate_tests::{Answer, ClosedPort, Request, TestGateway, Upstream, eventually, guest};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const CONFIG: &str = r#"
    policies-dir = "policies"
    access-log = true
    [[listeners]]
    address = "{listen}"
    [upstreams.echo]
    endpoints = ["{upstream}"]
    [[routes]]
    name = "all"
    upstream = "echo"
"#;

fn gateway(upstream: &Upstream, tracing: &str, more: &str) -> TestGateway {
    TestGateway::new().upstream(upstream).config(&format!("{CONFIG}{more}\n{tracing}"))
}

mod context {
    use super::*;

    #[track_caller]
    fn upstream_sees(tracing: &str, request: Request) -> (Option<String>, Option<String>) {
        let upstream = Upstream::start();
        assert_eq!(gateway(&upstream, tracing, "").start().send(request).status, 200);
        let seen = upstream.request();
        (seen.field("traceparent").map(str::to_owned), seen.field("tracestate").map(str::to_owned))
    }

    fn traced() -> Request {
        Request::get("/").field("traceparent", PARENT).field("tracestate", "vendor=1")
    }

    #[test]
    fn without_tracing_it_passes_as_it_is() {
        assert_eq!(upstream_sees("", traced()), (Some(PARENT.into()), Some("vendor=1".into())));
        assert_eq!(upstream_sees("", Request::get("/")), (None, None));
    }

    #[test]
    fn the_upstream_gets_another_span_of_the_same_trace() {
        let (parent, state) = upstream_sees("[tracing]\nsample = 0\n", traced());
        let parent = parent.unwrap();
        assert!(parent.starts_with(&format!("00-{TRACE}-")) && parent != PARENT, "{parent}");
        assert!(parent.ends_with("-00"), "it is not recorded: {parent}");
        assert_eq!(state.as_deref(), Some("vendor=1"));
    }

    #[test]
    fn a_client_that_names_no_trace_or_a_wrong_one_gets_one() {
        for wrong in ["", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "nonsense"] {
            let request = Request::get("/").field("traceparent", wrong).field("tracestate", "vendor=1");
            let (parent, state) = upstream_sees("[tracing]\n", request);
            let parent = parent.unwrap();
            assert!(parent.len() == 55 && parent != wrong && !parent.contains("-0000000000000000"), "{parent}");
            assert_eq!(state, None, "it belongs to no trace");
        }
    }

    #[test]
    fn filters_and_logs_know_the_trace() {
        let upstream = Upstream::start();
        let policy =
            "filter = \"facts\"\nconfig = { in = \"request\", declare = [\"@trace-id\"], ask = [\"@span-id\"] }";
        let gateway = gateway(&upstream, "[tracing]\n", "policies = [\"10-f\"]").module("facts", guest("facts"));
        let program = gateway.policy("10-f", policy).run(&[]);
        let text = tollgate_tests::Connection::open(program.address()).request(traced()).text();
        assert!(text.contains(&format!("@trace-id={TRACE}")), "{text}");
        let span = text.lines().find_map(|line| line.strip_prefix("@span-id=")).unwrap();
        assert!(span.len() == 16 && !PARENT.contains(span), "{text}");
        program.line(&["access", &format!("trace_id=\"{TRACE}\"")]);
    }
}

mod spans {
    use super::*;

    /// All spans that a collector has got.
    fn spans(collector: &Upstream) -> Vec<Value> {
        let body = |request: &tollgate_tests::Received| serde_json::from_slice::<Value>(&request.body).unwrap();
        let bodies: Vec<Value> = collector.requests().iter().map(body).collect();
        let spans =
            bodies.iter().flat_map(|body| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap());
        spans.cloned().collect()
    }

    fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
        let attributes = span["attributes"].as_array().unwrap();
        let found = attributes.iter().find(|attribute| attribute["key"] == key);
        found.map_or(&Value::Null, |attribute| attribute["value"].as_object().unwrap().values().next().unwrap())
    }

    fn tracing(collector: &Upstream, more: &str) -> String {
        format!("[tracing]\nendpoint = \"http://{}/v1/traces\"\n{more}\n", collector.address())
    }

    #[test]
    fn a_collector_gets_the_exchange_its_hooks_and_its_call() {
        let (upstream, collector) = (Upstream::start(), Upstream::answering(Answer::ok("{}")));
        let tracing = tracing(&collector, "sample = 1\nservice-name = \"edge\"");
        let gateway = gateway(&upstream, &tracing, "policies = [\"10-m\"]").module("10-m", guest("misbehave"));
        let gateway =
            gateway.policy("10-m", "config = { in = \"request-head\", do = \"fault\", when = \"/bad\" }").start();
        assert_eq!(gateway.send(Request::get("/good?secret").field("traceparent", PARENT)).status, 200);
        eventually("the spans come", || spans(&collector).len() == 4);
        let all = spans(&collector);
        let named =
            |name: &str| all.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no {name}: {all:?}"));
        let server = named("GET all");
        assert_eq!((&server["traceId"], &server["parentSpanId"]), (&TRACE.into(), &"b7ad6b7169203331".into()));
        assert_eq!((attribute(server, "url.path"), attribute(server, "http.route")), (&"/good".into(), &"all".into()));
        assert_eq!(attribute(server, "http.response.status_code"), "200");
        let call = named("GET echo");
        for inner in [named("10-m on-request-head"), named("10-m on-response-head"), call] {
            assert_eq!((&inner["traceId"], &inner["parentSpanId"]), (&TRACE.into(), &server["spanId"]));
        }
        let told = upstream.request().field("traceparent").unwrap().to_owned();
        assert_eq!(told, format!("00-{TRACE}-{}-01", call["spanId"].as_str().unwrap()));
        let resource = serde_json::from_slice::<Value>(&collector.request().body).unwrap();
        assert!(resource["resourceSpans"][0]["resource"].to_string().contains("\"edge\""), "{resource}");

        assert_eq!(gateway.get("/bad").status, 503);
        eventually("the others come", || spans(&collector).len() > 4);
        let failed: Vec<_> = spans(&collector).into_iter().filter(|span| span["status"]["code"] == 2).collect();
        assert!(failed.iter().any(|span| attribute(span, "error.type") == "reported"), "{failed:?}");
        assert!(failed.iter().any(|span| span["name"] == "GET all"), "{failed:?}");
    }

    #[test]
    fn a_client_decides_what_is_recorded_only_where_its_word_counts() {
        let (upstream, collector) = (Upstream::start(), Upstream::answering(Answer::ok("{}")));
        for (more, expected) in [("sample = 0", 0), ("sample = 0\nfollow-parent = true", 2)] {
            let gateway = gateway(&upstream, &tracing(&collector, more), "").start();
            assert_eq!(gateway.send(Request::get("/").field("traceparent", PARENT)).status, 200);
            // What is under way is sent first.
            gateway.shutdown();
            assert_eq!(spans(&collector).len(), expected, "{more}");
        }
    }

    #[test]
    fn a_collector_that_is_not_there_holds_nobody_up() {
        let (upstream, nobody) = (Upstream::start(), ClosedPort::new());
        let tracing = format!("[tracing]\nendpoint = \"http://{}/v1/traces\"\nsample = 1\n", nobody.address());
        let gateway = gateway(&upstream, &tracing, "").start();
        for _ in 0..10 {
            assert_eq!(gateway.get("/").status, 200);
        }
        eventually("the loss is counted", || gateway.metric("tollgate_trace_spans_total{outcome=\"dropped\"}") == 20.0);
        assert_eq!(gateway.metric("tollgate_trace_spans_total{outcome=\"sent\"}"), 0.0);
    }

    #[test]
    fn a_wrong_endpoint_is_an_error() {
        let upstream = Upstream::start();
        let error = gateway(&upstream, "[tracing]\nendpoint = \"https://otel/v1/traces\"\n", "").check().unwrap_err();
        assert!(
            error.contains("tracing.endpoint: \"https://otel/v1/traces\" is not an http URL with a path"),
            "{error}"
        );
    }
}
