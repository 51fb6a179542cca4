//! Stories of filters that wait for callouts, where they meet something else: isolation, TLS, HTTP/2, traces.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(missing_docs, reason = "each story is named after what it tells")]

use serde_json::Value;
use tollgate_tests::{
    Answer, Authority, Gate, Http2Upstream, Pair, Peer, RawFilter, Request, Response, TestGateway, Upstream,
    eventually, guest,
};

const CONFIG: &str = r#"
    policies-dir = "policies"
    [[listeners]]
    address = "{listen}"
    [upstreams.echo]
    endpoints = ["{upstream}"]
    [upstreams.auth]
    endpoints = ["{auth}"]
    {of-auth}
    {more}
    [[routes]]
    name = "all"
    policies = ["ask"]
    upstream = "echo"
"#;

/// A gateway with one policy, which asks the upstream `auth`; that is there and has these keys.
fn gateway(upstream: &Upstream, auth: &str, of_auth: &str, policy: &str) -> TestGateway {
    let policy = format!("filter = \"callout\"\ngrants = {{ callouts = [\"auth\"] }}\n{policy}");
    let gateway = TestGateway::new().upstream(upstream).word("auth", auth).word("of-auth", of_auth).word("more", "");
    gateway.config(CONFIG).module("callout", guest("callout")).policy("ask", &policy).workers(1)
}

const ONE_CALL: &str = r#"config = { calls = [{ upstream = "auth", path = "/check" }] }"#;

/// What the filter was told.
fn told(response: &Response) -> String {
    response.echo().field("x-told").unwrap_or_default().to_owned()
}

mod isolation {
    use super::*;

    /// Says in a field what it finds at a place of its memory, and leaves something there; and imports what waits.
    fn telling() -> Vec<u8> {
        let head = "(i32.store8 (i32.const 4200) (i32.add (i32.const 48) (i32.load8_u (i32.const 5000))))
            (i32.store8 (i32.const 5000) (i32.const 7))
            (i32.store (i32.const 2076) (i32.const 4300)) (i32.store (i32.const 2080) (i32.const 1)) (i32.const 2048)";
        // One edit: set, "x-seen", the byte at 4200.
        let fields = r#"(import "tollgate:filter/callout@0.1.0" "send-all" (func (param i32 i32 i32)))
            (data (i32.const 4100) "x-seen")
            (data (i32.const 4300) "\00\00\00\00\04\10\00\00\06\00\00\00\68\10\00\00\01\00\00\00")"#;
        RawFilter::new(1).export("on-request-head", head).fields(fields).build()
    }

    #[test]
    fn nothing_that_an_exchange_leaves_in_memory_reaches_another() {
        let upstream = Upstream::start();
        for (isolation, expected) in [("shared", ["0", "7", "7"]), ("exchange", ["0", "0", "0"])] {
            let gateway = TestGateway::new().upstream(&upstream).module("telling", telling()).workers(1);
            let policy = format!("filter = \"telling\"\nisolation = {isolation:?}");
            let gateway = gateway.policy("10-t", &policy).start();
            let seen = [1, 2, 3].map(|_| gateway.get("/").echo().field("x-seen").unwrap_or_default().to_owned());
            assert_eq!(seen, expected, "{isolation}");
        }
    }

    #[test]
    fn exchanges_with_sandboxes_of_their_own_wait_side_by_side() {
        let gate = Gate::new();
        let (upstream, auth) = (Upstream::start(), Upstream::answering(Answer::after(&gate).body("at last")));
        let policy = "isolation = \"exchange\"\nlimits = { callout-timeout = \"60s\" }\n\
            config = { in = \"response-head\", state = true, calls = [{ upstream = \"auth\" }] }";
        let gateway = gateway(&upstream, &auth.address().to_string(), "", policy).start();
        let mut clients: Vec<_> = (0..3).map(|_| gateway.connect()).collect();
        clients.iter_mut().for_each(|client| client.send(&Request::get("/")));
        eventually("all of them ask", || auth.requests().len() == 3);
        gate.open();
        for client in &mut clients {
            let response = client.response();
            assert_eq!((response.field("x-told"), response.field("x-hooks")), (Some("200 at last"), Some("2")));
        }
    }

    #[test]
    fn each_hook_of_an_exchange_finds_what_the_one_before_left() {
        let (upstream, auth) = (Upstream::start(), Upstream::answering(Answer::ok("yes")));
        let policy = "isolation = \"exchange\"\nlimits = { instances = 1 }\n\
            config = { in = \"request-body\", hold = true, state = true, calls = [{ upstream = \"auth\" }] }";
        let gateway = gateway(&upstream, &auth.address().to_string(), "", policy).start();
        for _ in 0..3 {
            let echo = gateway.send(Request::post("/", "whole")).echo();
            assert_eq!((echo.body.as_str(), echo.field("x-hooks")), ("yes", Some("2")));
        }
    }
}

mod upstreams {
    use super::*;

    /// nginx with this certificate, which tells about the connection.
    fn nginx(pair: &Pair) -> Peer {
        let block = "server { listen {listen} ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; \
            return 200 \"$ssl_protocol|$ssl_server_name|$uri\"; }";
        Peer::nginx(block, &[("cert.pem", &pair.cert), ("key.pem", &pair.key)])
    }

    #[test]
    fn are_asked_over_tls_as_their_keys_say() {
        let (upstream, authority) = (Upstream::start(), Authority::new());
        let server = nginx(&authority.server(&["localhost"]));
        let place = format!("localhost:{}", server.address().port());
        let gateway = gateway(&upstream, &place, "tls = { ca = \"ca.pem\" }", ONE_CALL);
        let gateway = gateway.file("ca.pem", authority.pem()).start();
        let told = told(&gateway.get("/"));
        assert!(told.starts_with("200 TLSv1.") && told.ends_with("|localhost|/check"), "{told}");
    }

    #[test]
    fn are_told_nothing_if_they_cannot_be_verified() {
        let (upstream, authority) = (Upstream::start(), Authority::new());
        let server = nginx(&Authority::new().server(&["localhost"]));
        let place = format!("localhost:{}", server.address().port());
        let gateway = gateway(&upstream, &place, "tls = { ca = \"ca.pem\" }", ONE_CALL);
        let gateway = gateway.file("ca.pem", authority.pem()).start();
        assert_eq!(told(&gateway.get("/")), "Error::Connect");
        assert_eq!(gateway.metric("tollgate_callouts_total{policy=\"ask\",result=\"connect\"}"), 1.0);
    }

    #[test]
    fn share_a_connection_of_http2() {
        let (upstream, auth) = (Upstream::start(), Http2Upstream::start());
        let calls = r#"config = { calls = [{ upstream = "auth", times = 3 }] }"#;
        let gateway = gateway(&upstream, &auth.address().to_string(), "http2 = true", calls).start();
        assert_eq!(told(&gateway.get("/")), "200 0; 200 0; 200 0");
        assert_eq!((auth.requests(), auth.connections()), (3, 1));
    }

    #[test]
    fn are_never_asked_for_a_fragment() {
        let (upstream, auth) = (Upstream::start(), Upstream::start());
        let calls =
            r##"config = { calls = [{ upstream = "auth", path = "/a#b" }, { upstream = "auth", path = "/a%23b" }] }"##;
        let gateway = gateway(&upstream, &auth.address().to_string(), "", calls).start();
        let told = told(&gateway.get("/"));
        assert!(told.starts_with("Error::Invalid(\"the path has a fragment") && told.contains("; 200 "), "{told}");
        assert_eq!(auth.requests().iter().map(|request| request.path.as_str()).collect::<Vec<_>>(), ["/a%23b"]);
    }
}

mod traces {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn spans(collector: &Upstream) -> Vec<Value> {
        let bodies =
            collector.requests().into_iter().map(|request| serde_json::from_slice::<Value>(&request.body).unwrap());
        bodies.flat_map(|body| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()).collect()
    }

    #[test]
    fn go_on_with_callouts_and_have_a_span_for_each_hook_that_waits() {
        let (upstream, auth) = (Upstream::start(), Upstream::start());
        let collector = Upstream::answering(Answer::ok("{}"));
        let tracing = format!("[tracing]\nendpoint = \"http://{}/v1/traces\"\nsample = 1\n", collector.address());
        let gateway = gateway(&upstream, &auth.address().to_string(), "", ONE_CALL).word("more", &tracing).start();
        // Two at once, whose spans are not mixed up.
        let parent = |trace: &str| format!("00-{trace}-b7ad6b7169203331-01");
        let traces = [TRACE.to_owned(), TRACE.replace('0', "1")];
        let mut clients = [gateway.connect(), gateway.connect()];
        for (client, trace) in clients.iter_mut().zip(&traces) {
            client.send(&Request::get("/").field("traceparent", &parent(trace)));
        }
        clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
        eventually("the spans come", || spans(&collector).len() == 6);
        for trace in &traces {
            let of_trace: Vec<_> = spans(&collector).into_iter().filter(|span| span["traceId"] == **trace).collect();
            let named = |name: &str| {
                of_trace.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("{of_trace:#?}"))
            };
            let server = named("GET all");
            for inner in ["ask on-request-head", "GET echo"] {
                assert_eq!(named(inner)["parentSpanId"], server["spanId"], "{inner}");
            }
            let expected = format!("00-{trace}-{}-01", server["spanId"].as_str().unwrap());
            assert!(
                auth.requests().iter().any(|request| request.field("traceparent") == Some(&expected)),
                "{expected}"
            );
        }
    }
}
