//! Stories of gRPC: its own client and its own server, with the gateway between them. Everything of it is HTTP/2 with trailers.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use tollgate_tests::{
    Answer, ClosedPort, Peer, PeerClient, Request, RunningGateway, TestGateway, Upstream, eventually,
};

const CONFIG: &str = "[[listeners]]\naddress = \"{listen}\"\n[upstreams.only]\nendpoints = [\"{upstream}\"]\nhttp2 = true\n\
    {keys}\n[[routes]]\nupstream = \"only\"\n";

fn before(server: &Peer) -> RunningGateway {
    TestGateway::new().upstream_at(server.address()).word("keys", "").config(CONFIG).workers(1).start()
}

/// What the client says after these steps, one line for each.
fn told(gateway: &RunningGateway, steps: &[&str]) -> Vec<String> {
    PeerClient::run("grpc_client", &[&[gateway.address().to_string().as_str()], steps].concat())
}

mod calls {
    use super::*;

    #[test]
    fn metadata_message_and_trailers_go_both_ways() {
        let server = Peer::python("grpc_server");
        let told = told(&before(&server), &["unary:hello"]);
        assert_eq!(told, ["unary hello [x-seen=mine x-te=none] [x-trailer=of the end x-raw-bin=b'\\x00\\xff']"]);
    }

    #[test]
    fn all_kinds_of_streams_pass() {
        let server = Peer::python("grpc_server");
        let gateway = before(&server);
        let told = told(&gateway, &["server-stream:1000,1000", "client-stream:1000,1000", "bidi:one,two,three"]);
        assert_eq!(told, ["server-stream 1000 1000000", "client-stream 1000000", "bidi one,two,three 0"]);
        assert_eq!(gateway.metric("tollgate_upstream_connects_total{upstream=\"only\"}"), 1.0);
    }

    #[test]
    fn large_messages_pass() {
        let server = Peer::python("grpc_server");
        let told = told(&before(&server), &["large:20000000", "server-stream:4,8000000"]);
        assert_eq!(told, ["large True", "server-stream 4 32000000"]);
    }

    #[test]
    fn a_failure_keeps_its_status_and_its_trailers() {
        let server = Peer::python("grpc_server");
        let told = told(&before(&server), &["call:/test.Bytes/Fail,not yet: caf\u{e9}", "call:/test.Bytes/None,"]);
        assert_eq!(told[0], "call FAILED_PRECONDITION not yet: caf\u{e9} [x-trailer=of the failure]");
        assert!(told[1].starts_with("call UNIMPLEMENTED Method not found"), "{}", told[1]);
    }

    #[test]
    fn a_deadline_ends_the_call_at_both_ends() {
        let server = Peer::python("grpc_server");
        let gateway = before(&server);
        assert_eq!(told(&gateway, &["deadline:0.3", "unary:after"])[0], "deadline DEADLINE_EXCEEDED");
        eventually("the exchange is over", || gateway.metric("tollgate_exchanges_open") == 0.0);
    }
}

mod answers_of_the_gateway {
    use super::*;

    const CALL: &str = "call:/test.Bytes/Unary,x";

    #[test]
    fn no_upstream_is_unavailable() {
        let port = ClosedPort::new();
        let gateway = TestGateway::new().upstream_at(port.address()).word("keys", "").config(CONFIG).start();
        assert_eq!(told(&gateway, &[CALL]), ["call UNAVAILABLE the upstream gave no valid response []"]);
    }

    #[test]
    fn no_answer_in_time_is_unavailable() {
        let server = Peer::python("grpc_server");
        let keys = "first-byte-timeout = \"100ms\"";
        let gateway = TestGateway::new().upstream_at(server.address()).word("keys", keys).config(CONFIG).start();
        let told = told(&gateway, &["call:/test.Bytes/Never,"]);
        assert_eq!(told, ["call UNAVAILABLE the upstream did not answer in time []"]);
    }

    #[test]
    fn no_route_is_unimplemented() {
        let server = Peer::python("grpc_server");
        let config = format!("{CONFIG}path = {{ prefix = \"/other\" }}\n");
        let gateway = TestGateway::new().upstream_at(server.address()).word("keys", "").config(&config).start();
        assert_eq!(told(&gateway, &[CALL]), ["call UNIMPLEMENTED no route matches this request []"]);
    }

    #[test]
    fn a_policys_refusal_has_a_status_and_keeps_its_fields() {
        let server = Peer::python("grpc_server");
        let gateway = TestGateway::new()
            .upstream_at(server.address())
            .policy("10-headers", "[config.response.set]\nx-status = \"{status}\"\n")
            .policy(
                "20-api-key",
                "[config]\nkeys = [{ consumer = \"alice\", \
                sha256 = \"72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20\" }]\n",
            )
            .start();
        let told = told(&gateway, &[CALL]);
        assert!(told[0].starts_with("call UNAUTHENTICATED ") && told[0].ends_with("[x-status=401]"), "{told:?}");
    }

    #[test]
    fn others_are_told_as_ever() {
        let port = ClosedPort::new();
        let gateway = TestGateway::new().upstream_at(port.address()).start();
        let call = |kind: &str| gateway.send(Request::post("/a.B/C", "").field("content-type", kind));
        assert_eq!(call("application/grpc-web").problem(), "the upstream gave no valid response");
        let response = call("application/grpc+proto");
        assert_eq!((response.status, response.field("content-type")), (200, Some("application/grpc")));
        assert_eq!((response.field("grpc-status"), response.body.len()), (Some("14"), 0));
    }

    #[test]
    fn what_an_upstream_says_stays_as_it_is() {
        let upstream = Upstream::answering(Answer::status(503).body("not now"));
        let gateway = TestGateway::new().upstream(&upstream).start();
        let response = gateway.send(Request::post("/a.B/C", "").field("content-type", "application/grpc"));
        assert_eq!((response.status, response.text().as_str(), response.field("grpc-status")), (503, "not now", None));
    }
}
