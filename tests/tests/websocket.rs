//! Stories of connections that leave HTTP behind: WebSockets, and whatever else a client asks for (RFC 9110, section 7.8).

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io;

use tollgate_tests::{
    Answer, Call, Connection, Gate, Peer, PeerClient, Request, RunningGateway, TestGateway, Upstream,
};
use tollgate_tests::{eventually, guest};

const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo/1\r\n\r\n";

const KEYS: &str = "[config]\nquery = \"key\"\nkeys = [{ consumer = \"alice\", \
    sha256 = \"72ee9d4355ccb9d3a4c9dbf37382e38e75c1b1a225b5bd1f729ee91bbda30c20\" }]\n";

/// With these keys in `[limits]` and on the route.
fn before(gateway: TestGateway, limits: &str, route: &str) -> RunningGateway {
    let config = format!(
        "[[listeners]]\naddress = \"{{listen}}\"\n[limits]\n{limits}\n\
         [upstreams.only]\nendpoints = [\"{{upstream}}\"]\n[[routes]]\nupstream = \"only\"\n{route}\n"
    );
    gateway.config(&config).workers(1).start()
}

fn asking() -> Request {
    Request::get("/").field("connection", "Upgrade").field("upgrade", "echo/1")
}

/// Switches, then does as told.
fn switching(after: impl Fn(&mut Call) -> io::Result<()> + Send + Sync + 'static) -> Upstream {
    Upstream::with(move |call| {
        call.write(SWITCH)?;
        after(call)?;
        Ok(false)
    })
}

/// Sends everything back until the other end has said all.
fn echo(call: &mut Call) -> io::Result<()> {
    loop {
        match call.read_some()? {
            end if end.is_empty() => return Ok(()),
            bytes => call.write(&bytes)?,
        }
    }
}

/// A client that is through to the other side.
#[track_caller]
fn tunnel(gateway: &RunningGateway) -> Connection {
    let mut client = gateway.connect();
    client.send(&asking());
    assert_eq!(client.head().status(), Some(101));
    client
}

mod websockets {
    use super::*;

    fn uri(gateway: &RunningGateway) -> String {
        format!("ws://{}/chat?room=1", gateway.address())
    }

    #[test]
    fn messages_of_all_kinds_go_both_ways() {
        let server = Peer::python("websocket_server");
        let gateway = TestGateway::new().upstream_at(server.address()).start();
        let steps = ["text:h\u{e9}llo", "binary:1", "binary:70000", "binary:5000000", "pieces:a,b,c", "ping"];
        let told = PeerClient::run("websocket_client", &[&[uri(&gateway).as_str()], &steps[..]].concat());
        let expected = [
            "subprotocol superchat",
            "extensions permessage-deflate",
            "text h\u{e9}llo",
            "binary True",
            "binary True",
            "binary True",
            "pieces abc",
            "pong",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_close_reaches_the_other_end_with_its_code() {
        let server = Peer::python("websocket_server");
        let gateway = TestGateway::new().upstream_at(server.address()).start();
        let _ = PeerClient::run("websocket_client", &[&uri(&gateway), "close:4001,enough"]);
        server.line(&["closed 4001 enough"]);
        eventually("the exchange is over", || gateway.metric("tollgate_exchanges_open") == 0.0);
    }

    #[test]
    fn when_the_gateway_stops_both_ends_are_told() {
        let server = Peer::python("websocket_server");
        let gateway = before(TestGateway::new().upstream_at(server.address()), "drain = \"200ms\"", "");
        let client = PeerClient::start("websocket_client", &[&uri(&gateway), "text:hello", "wait"]);
        client.line(&["text hello"]);
        gateway.shutdown();
        client.line(&["closed 1001"]);
        server.line(&["closed 1001"]);
    }

    #[test]
    fn a_policy_can_refuse_one_and_sees_the_answer_to_another() {
        let server = Peer::python("websocket_server");
        let gateway = TestGateway::new()
            .upstream_at(server.address())
            .policy("10-api-key", KEYS)
            .policy("20-headers", "[config.response.set]\nx-status = \"{status}\"\n")
            .module("body", guest("body"))
            .policy("30-body", "filter = \"body\"\nconfig = { request = \"upper\", response = \"drop\" }")
            .start();
        let refused = PeerClient::run("websocket_client", &[&uri(&gateway)]);
        assert_eq!(refused, ["refused 401"]);
        let told = PeerClient::run("websocket_client", &[&format!("{}&key=alice-key", uri(&gateway)), "text:hello"]);
        assert_eq!(told.last().unwrap(), "text hello", "what passes after the switch is no body");
        let mut client = gateway.connect();
        let key = ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
        let request = Request::get("/?key=alice-key").field("connection", "upgrade").field("upgrade", "websocket");
        client.send(
            &request.field(key.0, key.1).field("sec-websocket-version", "13").field("sec-websocket-protocol", "chat"),
        );
        let head = client.head();
        assert_eq!((head.status(), head.fields.get("x-status")), (Some(101), Some("101")));
    }
}

/// On a stream of HTTP/2 (RFC 8441).
mod extended_connect {
    use super::*;
    use tollgate_tests::http2::{Http2, flag, kind};

    const HI: &[u8] = b"\x81\x82\0\0\0\0hi";

    fn connect(gateway: &RunningGateway, protocol: &str) -> Http2 {
        let mut client = Http2::open(gateway.address(), &[]);
        let fields = [
            (":method", "CONNECT"),
            (":protocol", protocol),
            (":scheme", "http"),
            (":path", "/chat"),
            (":authority", "gateway.test"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat"),
        ];
        client.request(1, &fields, false);
        client
    }

    #[test]
    fn a_websocket_on_a_stream_is_one_on_a_connection_to_the_upstream() {
        let server = Peer::python("websocket_server");
        let gateway = TestGateway::new().upstream_at(server.address()).workers(1).start();
        let mut client = connect(&gateway, "websocket");
        assert_eq!(client.next_of(kind::HEADERS).status(), 200);
        client.send(kind::DATA, 0, 1, HI);
        assert_eq!(client.next_of(kind::DATA).payload, b"\x81\x02hi");
        assert_eq!(gateway.metric("tollgate_tunnels_open"), 1.0);
        client.get(3, "/other");
        assert_eq!(client.next_of(kind::HEADERS).stream, 3, "the connection serves other requests as well");
        client.send(kind::DATA, flag::END_STREAM, 1, b"\x88\x82\0\0\0\0\x03\xe8");
        server.line(&["closed 1000"]);
        eventually("the tunnel is over", || gateway.metric("tollgate_tunnels_open") == 0.0);
    }

    #[test]
    fn what_the_upstream_sees_is_an_upgrade() {
        let upstream = switching(echo);
        let gateway = before(TestGateway::new().upstream(&upstream), "", "");
        let mut client = connect(&gateway, "echo/1");
        assert_eq!(client.next_of(kind::HEADERS).status(), 200);
        let request = upstream.request();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/chat"));
        assert_eq!((request.field("upgrade"), request.field("host")), (Some("echo/1"), Some("gateway.test")));
        client.send(kind::DATA, flag::END_STREAM, 1, b"and back");
        assert_eq!(client.next_of(kind::DATA).payload, b"and back");
    }

    #[test]
    fn without_a_switch_there_is_no_tunnel() {
        for (status, told) in [(403, 403), (200, 502)] {
            let upstream = Upstream::answering(Answer::status(status).body("no"));
            let gateway = before(TestGateway::new().upstream(&upstream), "", "");
            assert_eq!(connect(&gateway, "websocket").next_of(kind::HEADERS).status(), told);
        }
        let upstream = switching(echo);
        let gateway = before(TestGateway::new().upstream(&upstream), "", "upgrades = false");
        assert_eq!(connect(&gateway, "echo/1").next_of(kind::HEADERS).status(), 501);
        assert_eq!(upstream.requests().len(), 0);
    }
}

/// To an upstream that speaks HTTP/2: another gateway, in front of the server.
mod over_http2 {
    use super::*;
    use tollgate_tests::Http2Upstream;
    use tollgate_tests::http2::{Http2, flag, kind};

    const ENABLE_CONNECT_PROTOCOL: u16 = 8;

    fn to(upstream: std::net::SocketAddr) -> RunningGateway {
        let config = "[limits]\ndrain = \"200ms\"\n[[listeners]]\naddress = \"{listen}\"\n[upstreams.only]\nendpoints = [\"{upstream}\"]\nhttp2 = true\n\
            [[routes]]\nupstream = \"only\"\n";
        TestGateway::new().upstream_at(upstream).config(config).workers(1).start()
    }

    fn handshake() -> Request {
        Request::get("/")
            .field("connection", "upgrade")
            .field("upgrade", "websocket")
            .field("sec-websocket-version", "13")
    }

    #[test]
    fn a_websocket_is_a_stream_on_a_connection_with_others() {
        let server = Peer::python("websocket_server");
        let second = TestGateway::new().upstream_at(server.address()).workers(1).start();
        let first = to(second.address());
        let uri = format!("ws://{}/chat", first.address());
        let told = PeerClient::run("websocket_client", &[&uri, "text:hello", "binary:5000000", "pieces:a,b", "ping"]);
        assert_eq!(told[2..], ["text hello", "binary True", "pieces ab", "pong"]);
        let connects = "tollgate_upstream_connects_total{upstream=\"only\"}";
        let waiting = PeerClient::start("websocket_client", &[&uri, "text:hello", "wait"]);
        waiting.line(&["text hello"]);
        assert_eq!((first.metric("tollgate_tunnels_open"), first.metric(connects)), (1.0, 1.0));
        first.shutdown();
        waiting.line(&["closed 1001"]);
    }

    #[test]
    fn a_stream_of_the_client_is_a_stream_of_the_upstream() {
        let server = Peer::python("websocket_server");
        let second = TestGateway::new().upstream_at(server.address()).workers(1).start();
        let first = to(second.address());
        let mut client = Http2::open(first.address(), &[]);
        let fields = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":path", "/chat"),
            (":authority", "gateway.test"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat"),
        ];
        client.request(1, &fields, false);
        assert_eq!(client.next_of(kind::HEADERS).status(), 200);
        client.send(kind::DATA, 0, 1, b"\x81\x82\0\0\0\0hi");
        assert_eq!(client.next_of(kind::DATA).payload, b"\x81\x02hi");
        client.send(kind::DATA, flag::END_STREAM, 1, b"\x88\x82\0\0\0\0\x03\xe8");
        server.line(&["closed 1000"]);
        eventually("the tunnel is over", || first.metric("tollgate_tunnels_open") == 0.0);
    }

    #[test]
    fn one_that_has_not_announced_them_is_not_asked() {
        let upstream = Http2Upstream::start();
        let gateway = to(upstream.address());
        let response = gateway.send(handshake());
        assert_eq!((response.status, upstream.requests()), (502, 0));
        assert!(response.text().contains("the upstream does not take WebSockets over HTTP/2"), "{}", response.text());
        assert_eq!(gateway.send(asking()).text(), "0", "what else is offered is passed over, as it may be");
    }

    #[test]
    fn a_refusal_is_an_answer() {
        let upstream = Http2Upstream::with(&[(ENABLE_CONNECT_PROTOCOL, 1)], |call| {
            let stream = call.request()?;
            call.head(stream, &[(":status", "403")], true)?;
            call.request().map(drop)
        });
        assert_eq!(to(upstream.address()).send(handshake()).status, 403);
    }
}

mod tunnels {
    use super::*;

    #[test]
    fn bytes_go_both_ways_from_the_first_on() {
        let upstream = Upstream::with(|call| {
            let (first, both) = (b"from the upstream".as_slice(), "early, late".len());
            call.write(&[SWITCH, first].concat())?;
            let bytes = call.read_exactly(both)?;
            call.write(&bytes)?;
            Ok(false)
        });
        let gateway = before(TestGateway::new().upstream(&upstream), "", "");
        let mut client = gateway.connect();
        client.write("GET /x HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, upgrade\r\nupgrade: echo/1\r\n\r\nearly, ");
        let head = client.head();
        assert_eq!(
            (head.status(), head.fields.get("upgrade"), head.fields.get("connection")),
            (Some(101), Some("echo/1"), Some("upgrade"))
        );
        assert_eq!(client.exactly(17), b"from the upstream");
        client.write("late");
        assert_eq!(client.exactly(11), b"early, late");
        client.expect_close();
        let request = upstream.request();
        assert_eq!(
            (request.path.as_str(), request.field("upgrade"), request.field("connection")),
            ("/x", Some("echo/1"), Some("upgrade"))
        );
    }

    #[test]
    fn much_goes_both_ways_at_once() {
        let upstream = switching(echo);
        let gateway = before(TestGateway::new().upstream(&upstream), "", "");
        let mut client = tunnel(&gateway);
        let mut writer = client.another_hand();
        let content: Vec<u8> = (0..10 << 20).map(|index| (index / 7) as u8).collect();
        let sent = content.clone();
        let writing = std::thread::spawn(move || {
            writer.write(&sent);
            writer.finish_writing();
        });
        assert!(client.exactly(content.len()) == content, "the content has changed");
        client.expect_close();
        writing.join().unwrap();
        eventually("the tunnel is over", || gateway.metric("tollgate_tunnels_open") == 0.0);
        for from in ["client", "upstream"] {
            assert_eq!(gateway.metric(&format!("tollgate_tunnel_bytes_total{{from={from:?}}}")), content.len() as f64);
        }
    }

    #[test]
    fn one_end_may_fall_silent_while_the_other_goes_on() {
        let upstream = switching(|call| {
            while !call.read_some()?.is_empty() {}
            call.write(b"the last word")
        });
        let gateway = before(TestGateway::new().upstream(&upstream), "", "");
        let mut client = tunnel(&gateway);
        client.write("that is all");
        client.finish_writing();
        assert_eq!(client.exactly(13), b"the last word");
        client.expect_close();
    }

    #[test]
    fn the_upstream_may_fall_silent_first() {
        let got = Gate::new();
        let seen = got.clone();
        let upstream = switching(move |call| {
            call.finish_writing();
            assert_eq!(call.read_exactly(8)?, b"go ahead");
            seen.open();
            Ok(())
        });
        let gateway = before(TestGateway::new().upstream(&upstream), "", "");
        let mut client = tunnel(&gateway);
        assert_eq!(client.some(), b"");
        client.write("go ahead");
        got.wait();
    }

    #[test]
    fn an_upstream_that_goes_away_takes_the_client_along() {
        let upstream = switching(|_| Ok(()));
        let gateway = before(TestGateway::new().upstream(&upstream), "", "");
        let mut client = tunnel(&gateway);
        upstream.close_connections();
        client.expect_close();
        drop(client);
        eventually("the exchange is over", || gateway.metric("tollgate_exchanges_open") == 0.0);
    }

    #[test]
    fn a_client_that_does_not_read_holds_the_upstream_back() {
        let most = 256 << 20;
        let (written, done) = (Gate::new(), Gate::new());
        let (full, release) = (written.clone(), done.clone());
        let upstream = switching(move |call| {
            if call.write_until_blocked(most)? < most {
                full.open();
            }
            release.wait();
            Ok(())
        });
        let gateway = before(TestGateway::new().upstream(&upstream), "", "");
        let client = tunnel(&gateway);
        written.wait();
        done.open();
        drop(client);
    }

    #[test]
    fn one_that_stands_still_is_cut() {
        let upstream = switching(echo);
        let gateway = before(TestGateway::new().upstream(&upstream), "upgrade-idle = \"50ms\"", "");
        let mut client = tunnel(&gateway);
        client.expect_close();
        eventually("the upstream is told", || upstream.open_connections() == 0);
    }

    #[test]
    fn one_that_is_no_websocket_is_cut_when_the_drain_time_is_over() {
        let upstream = switching(echo);
        let gateway = before(TestGateway::new().upstream(&upstream), "drain = \"200ms\"", "");
        let mut client = tunnel(&gateway);
        client.write("still here");
        assert_eq!(client.exactly(10), b"still here");
        gateway.shutdown();
        client.expect_close();
    }

    #[test]
    fn it_is_counted_and_logged() {
        let upstream = switching(echo);
        let gateway = TestGateway::new().upstream(&upstream).run(&["--access-log", "--admin", "127.0.0.1:0"]);
        let mut client = Connection::open(gateway.address());
        client.send(&asking());
        client.head();
        client.write("five!");
        assert_eq!(client.exactly(5), b"five!");
        let page = Connection::open(gateway.admin_address()).request(Request::get("/metrics")).text();
        for sample in ["tollgate_tunnels_total 1", "tollgate_tunnels_open 1", "tollgate_exchanges_open 1"] {
            assert!(page.lines().any(|line| line == sample), "{sample}: {page}");
        }
        drop(client);
        gateway.line(&["access", "status=101", "bytes=5", "received=5"]);
    }
}

mod refusals {
    use super::*;

    /// What an upstream that switches whatever it is asked sees of such a request, and the status that the client gets.
    fn seen(request: &Request, route: &str) -> (Option<String>, u16) {
        let upstream = Upstream::with(|call| {
            call.read_body()?;
            match call.request.field("upgrade") {
                Some(_) => call.write(SWITCH).map(|()| false),
                None => call.answer(&Answer::ok("as usual")),
            }
        });
        let gateway = before(TestGateway::new().upstream(&upstream), "", route);
        let mut client = gateway.connect();
        client.send(request);
        let status = client.head().status().unwrap();
        (upstream.request().field("upgrade").map(str::to_owned), status)
    }

    #[test]
    fn what_the_route_forbids_is_an_ordinary_request() {
        assert_eq!(seen(&asking(), ""), (Some("echo/1".to_owned()), 101));
        assert_eq!(seen(&asking(), "upgrades = false"), (None, 200));
    }

    #[test]
    fn what_may_not_be_asked_for_is_not() {
        let without_option = Request::get("/").field("upgrade", "echo/1");
        let with_content = Request::post("/", "content").field("connection", "upgrade").field("upgrade", "echo/1");
        for request in [without_option, with_content, asking().http_10()] {
            assert_eq!(seen(&request, ""), (None, 200), "{request:?}");
        }
    }

    #[test]
    fn http_in_a_tunnel_would_pass_all_policies() {
        let asking =
            |protocols| Request::get("/").field("connection", "upgrade, http2-settings").field("upgrade", protocols);
        assert_eq!(seen(&asking("h2c").field("http2-settings", "AAMAAABkAAQAAP__"), ""), (None, 200));
        assert_eq!(seen(&asking("TLS/1.0, HTTP/1.1"), ""), (None, 200));
        assert_eq!(seen(&asking("h2c, echo/1"), ""), (Some("echo/1".to_owned()), 101));
    }

    #[test]
    fn an_upstream_that_does_not_switch_answers_as_usual() {
        let upstream = Upstream::answering(
            Answer::status(426).field("connection", "upgrade").field("upgrade", "foo/2").body("no"),
        );
        let gateway = before(TestGateway::new().upstream(&upstream), "", "");
        let mut client = gateway.connect();
        for _ in 0..2 {
            let response = client.request(asking());
            assert_eq!((response.status, response.text().as_str(), response.field("connection")), (426, "no", None));
        }
        assert_eq!((upstream.connections(), upstream.requests().len()), (1, 2), "the connections are still in step");
    }

    #[test]
    fn a_switch_that_nobody_asked_for_is_no_response() {
        let upstream = switching(echo);
        let gateway = before(TestGateway::new().upstream(&upstream), "", "");
        let mut client = gateway.connect();
        for request in [Request::get("/"), Request::get("/").field("connection", "upgrade").field("upgrade", "other")] {
            let response = client.request(request);
            assert_eq!((response.status, response.problem().as_str()), (502, "the upstream gave no valid response"));
        }
        let unnamed = Upstream::with(|call| call.write(b"HTTP/1.1 101 Whatever\r\n\r\n").map(|()| true));
        assert_eq!(before(TestGateway::new().upstream(&unnamed), "", "").send(asking()).status, 502);
    }
}
