//! Stories of upstreams that speak HTTP/2.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tollgate_tests::http2::{flag, kind};
use tollgate_tests::{
    Answer, ClosedPort, Gate, Http2Upstream, Peer, Request, RunningGateway, TestGateway, Upstream, eventually,
};

const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const CONNECTS: &str = "tollgate_upstream_connects_total{upstream=\"only\"}";

/// With these keys on the upstream.
fn before(upstream: SocketAddr, keys: &str) -> RunningGateway {
    let config = format!(
        "[[listeners]]\naddress = \"{{listen}}\"\n[upstreams.only]\nendpoints = [\"{{upstream}}\"]\nhttp2 = true\n{keys}\n\
         [[routes]]\nupstream = \"only\"\n"
    );
    TestGateway::new().upstream_at(upstream).config(&config).workers(1).start()
}

/// Sends that many requests, each on a connection of its own; gives what they are answered, in the order as sent.
fn at_once(gateway: &RunningGateway, count: usize) -> Vec<String> {
    let mut clients: Vec<_> = (0..count).map(|_| gateway.connect()).collect();
    clients.iter_mut().for_each(|client| client.send(&Request::get("/")));
    clients.iter_mut().map(|client| client.response().text()).collect()
}

mod messages {
    use super::*;

    /// nginx in front of an upstream of HTTP/1.1, so that the gateway speaks HTTP/2 to it.
    fn nginx(to: &Upstream) -> Peer {
        let proxy = "server { listen {listen} http2; client_max_body_size 0; location / { proxy_pass http://{to}; \
            proxy_http_version 1.1; proxy_set_header host $http_host; proxy_set_header x-protocol $server_protocol; } }";
        Peer::nginx(&proxy.replace("{to}", &to.address().to_string()), &[])
    }

    #[test]
    fn method_path_fields_and_body_go_through() {
        let upstream = Upstream::start();
        let nginx = nginx(&upstream);
        let gateway = before(nginx.address(), "");
        let request = Request::post("/a%20b/?q=%C3%A4", "text").field("x-own", "1").field("cookie", "a=1; b=2");
        let echo = gateway.send(request).echo();
        assert_eq!(
            (echo.method.as_str(), echo.path.as_str(), echo.body.as_str()),
            ("POST", "/a%20b/?q=%C3%A4", "text")
        );
        assert_eq!((echo.field("host"), echo.field("x-own")), (Some("gateway.test"), Some("1")));
        assert_eq!((echo.field("x-protocol"), echo.field("cookie")), (Some("HTTP/2.0"), Some("a=1; b=2")));
        assert_eq!(gateway.get("/").echo().method, "GET");
        let head = gateway.connect().request(Request::new("HEAD", "/"));
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(gateway.metric(CONNECTS), 1.0);
    }

    #[test]
    fn ten_mebibytes_go_both_ways() {
        let upstream = Upstream::with(|call| {
            let request = call.read_body()?;
            call.answer(&Answer::ok(request.body))
        });
        let nginx = nginx(&upstream);
        let gateway = before(nginx.address(), "");
        let body: Vec<u8> = (0..10 << 20).map(|index| (index / 7) as u8).collect();
        assert!(gateway.send(Request::post("/", body.clone())).body == body, "the body has changed");
    }

    #[test]
    fn trailers_come_back() {
        let upstream = Http2Upstream::with(&[], |call| {
            let stream = call.request()?;
            call.head(stream, &[(":status", "200"), ("trailer", "x-sum")], false)?;
            call.send(kind::DATA, 0, stream, b"data")?;
            call.head(stream, &[("x-sum", "7")], true)?;
            call.request().map(drop)
        });
        let response = before(upstream.address(), "").send(Request::get("/").field("te", "trailers"));
        assert_eq!((response.text().as_str(), response.trailers.get("x-sum")), ("data", Some("7")));
    }

    #[test]
    fn a_client_that_does_not_read_holds_back_nobody_else() {
        let nginx =
            Peer::nginx("server { listen {listen} http2; root {folder}; }", &[("large", &"x".repeat(20 << 20))]);
        let gateway = before(nginx.address(), "");
        let mut idle: Vec<_> = (0..8).map(|_| gateway.connect()).collect();
        for client in &mut idle {
            client.send(&Request::get("/large"));
            assert_eq!(client.head().status(), Some(200));
        }
        assert_eq!(gateway.get("/large").body.len(), 20 << 20);
        assert_eq!(gateway.metric(CONNECTS), 1.0);
    }
}

mod connections {
    use super::*;

    #[test]
    fn one_carries_many_requests() {
        let upstream = Http2Upstream::with(&[], |call| {
            let streams = (0..20).map(|_| call.request()).collect::<Result<Vec<_>, _>>()?;
            streams.into_iter().rev().try_for_each(|stream| call.answer(stream, "all are here"))?;
            call.request().map(drop)
        });
        let gateway = before(upstream.address(), "");
        assert_eq!(at_once(&gateway, 20), ["all are here"; 20]);
        assert_eq!((upstream.connections(), gateway.metric(CONNECTS)), (1, 1.0));
    }

    #[test]
    fn another_is_opened_where_the_peer_takes_no_more() {
        let gate = Gate::new();
        let wait = gate.clone();
        let upstream = Http2Upstream::with(&[(MAX_CONCURRENT_STREAMS, 2)], move |call| {
            let first = call.request()?;
            call.answer(first, "now you know my settings")?;
            loop {
                let stream = call.request()?;
                let second = (call.connection == 0).then(|| call.request()).transpose()?;
                wait.wait();
                for stream in [Some(stream), second].into_iter().flatten() {
                    call.answer(stream, &call.connection.to_string())?;
                }
            }
        });
        let gateway = before(upstream.address(), "");
        assert_eq!(gateway.get("/").text(), "now you know my settings");
        let mut clients: Vec<_> = (0..3).map(|_| gateway.connect()).collect();
        clients.iter_mut().for_each(|client| client.send(&Request::get("/")));
        eventually("all are under way", || upstream.requests() == 4);
        gate.open();
        let mut answers: Vec<_> = clients.iter_mut().map(|client| client.response().text()).collect();
        answers.sort();
        assert_eq!(answers, ["0", "0", "now you know my settings"]);
        assert_eq!(upstream.connections(), 2);
    }

    #[test]
    fn a_client_that_goes_away_resets_its_stream_and_the_connection_stays() {
        let reset = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&reset);
        let upstream = Http2Upstream::with(&[], move |call| {
            call.request()?;
            let frame = call.next_of(kind::RST_STREAM)?;
            *seen.lock().unwrap() = Some(frame.code());
            let stream = call.request()?;
            call.answer(stream, "still here")?;
            call.request().map(drop)
        });
        let gateway = before(upstream.address(), "");
        let mut client = gateway.connect();
        client.send(&Request::get("/"));
        eventually("it is under way", || upstream.requests() == 1);
        drop(client);
        eventually("the stream is reset", || reset.lock().unwrap().is_some());
        assert_eq!(*reset.lock().unwrap(), Some(CANCEL));
        assert_eq!(gateway.get("/").text(), "still here");
        assert_eq!(upstream.connections(), 1);
    }

    #[test]
    fn one_that_is_not_used_is_closed() {
        let closed = Gate::new();
        let seen = closed.clone();
        let upstream = Http2Upstream::with(&[], move |call| {
            let stream = call.request()?;
            call.answer(stream, "done")?;
            call.next_of(kind::GOAWAY).inspect(|_| seen.open()).map(drop)
        });
        let gateway = before(upstream.address(), "idle-timeout = \"50ms\"");
        assert_eq!(gateway.get("/").text(), "done");
        closed.wait();
    }

    #[test]
    fn one_that_is_silent_is_asked_whether_it_is_there() {
        let asked = Gate::new();
        let seen = asked.clone();
        let upstream = Http2Upstream::with(&[], move |call| {
            let stream = call.request()?;
            let ping = call.next_of(kind::PING)?;
            call.send(kind::PING, flag::ACK, 0, &ping.payload)?;
            seen.open();
            call.answer(stream, "here")?;
            call.request().map(drop)
        });
        let gateway = before(upstream.address(), "ping-interval = \"1s\"");
        assert_eq!(gateway.get("/").text(), "here");
        assert!(asked.is_open());
    }
}

#[test]
fn health_checks_speak_it_as_well() {
    let upstream = Http2Upstream::start();
    let gateway = before(upstream.address(), "health = { http = \"/well\", interval = \"20ms\" }");
    let endpoint = || gateway.admin("/upstreams").json()["upstreams"][0]["endpoints"][0].clone();
    eventually("it is well", || endpoint()["state"] == "up");
    assert_eq!(gateway.get("/").status, 200);
    assert!(endpoint()["last-check-error"].is_null(), "{}", endpoint());
}

mod failures {
    use super::*;

    /// The first connection does as told with its only request; further ones answer with the content of theirs.
    fn first(
        with: impl Fn(&mut tollgate_tests::Http2Call, u32) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Http2Upstream {
        let failed = AtomicUsize::new(0);
        Http2Upstream::with(&[], move |call| {
            loop {
                let stream = call.request()?;
                if failed.fetch_add(1, Ordering::SeqCst) == 0 {
                    with(call, stream)?;
                } else {
                    let content = String::from_utf8_lossy(&call.content(stream)?).into_owned();
                    call.answer(stream, &content)?;
                }
            }
        })
    }

    #[test]
    fn what_a_peer_that_goes_away_has_not_processed_goes_out_again() {
        let upstream = first(|call, _| {
            call.go_away(0)?;
            call.next_frame().map(drop)
        });
        let response = before(upstream.address(), "").send(Request::post("/", "content"));
        assert_eq!((response.text().as_str(), upstream.connections()), ("content", 2));
    }

    #[test]
    fn what_a_peer_that_goes_away_has_processed_is_waited_for() {
        let gate = Gate::new();
        let wait = gate.clone();
        let upstream = Http2Upstream::with(&[], move |call| {
            let stream = call.request()?;
            if call.connection > 0 {
                call.answer(stream, "new")?;
                return call.request().map(drop);
            }
            call.go_away(stream)?;
            wait.wait();
            call.answer(stream, "old")?;
            call.next_frame().map(drop)
        });
        let gateway = before(upstream.address(), "");
        let mut client = gateway.connect();
        client.send(&Request::get("/"));
        eventually("it is under way", || upstream.requests() == 1);
        eventually("further requests go elsewhere", || gateway.get("/").text() == "new");
        gate.open();
        assert_eq!(client.response().text(), "old");
    }

    #[test]
    fn a_refused_stream_goes_out_again() {
        let upstream = first(|call, stream| call.reset(stream, REFUSED_STREAM));
        let gateway = before(upstream.address(), "");
        assert_eq!(gateway.send(Request::post("/", "content")).text(), "content");
    }

    #[test]
    fn one_that_is_refused_again_and_again_is_given_up() {
        let upstream = Http2Upstream::with(&[], |call| {
            loop {
                let stream = call.request()?;
                call.reset(stream, REFUSED_STREAM)?;
            }
        });
        assert_eq!(before(upstream.address(), "").get("/").status, 502);
        assert_eq!(upstream.requests(), 3);
    }

    #[test]
    fn a_stream_that_is_reset_for_another_reason_is_a_bad_gateway() {
        let upstream = first(|call, stream| call.reset(stream, CANCEL));
        let gateway = before(upstream.address(), "");
        let response = gateway.send(Request::post("/", "content"));
        assert_eq!((response.status, response.problem().as_str()), (502, "the upstream gave no valid response"));
        assert_eq!((upstream.requests(), gateway.send(Request::post("/", "next")).text().as_str()), (1, "next"));
        assert_eq!(upstream.connections(), 1);
    }

    #[test]
    fn a_response_that_is_reset_is_cut_for_the_client_too() {
        let upstream = Http2Upstream::with(&[], |call| {
            let stream = call.request()?;
            call.head(stream, &[(":status", "200")], false)?;
            call.send(kind::DATA, 0, stream, b"half")?;
            call.reset(stream, CANCEL)?;
            call.request().map(drop)
        });
        let response = before(upstream.address(), "").connect().request(Request::get("/"));
        assert_eq!((response.status, response.complete), (200, false));
    }

    #[test]
    fn each_request_has_its_own_time_out() {
        let upstream = Http2Upstream::with(&[], |call| {
            let (silent, other) = (call.request()?, call.request()?);
            call.answer(other, "in time")?;
            assert_eq!(call.next_of(kind::RST_STREAM)?.stream, silent);
            let third = call.request()?;
            call.answer(third, "the connection is good")?;
            call.request().map(drop)
        });
        let gateway = before(upstream.address(), "first-byte-timeout = \"300ms\"");
        let (mut silent, mut other) = (gateway.connect(), gateway.connect());
        silent.send(&Request::get("/"));
        eventually("it is under way", || upstream.requests() == 1);
        assert_eq!(other.request(Request::get("/")).text(), "in time");
        let response = silent.response();
        assert_eq!((response.status, response.problem().as_str()), (504, "the upstream did not answer in time"));
        assert_eq!(gateway.get("/").text(), "the connection is good");
    }

    #[test]
    fn a_connection_on_which_nothing_is_answered_serves_nobody_else() {
        let upstream = Http2Upstream::with(&[], |call| {
            let stream = call.request()?;
            if call.connection > 0 {
                call.answer(stream, "another one")?;
            }
            call.request().map(drop)
        });
        let gateway = before(upstream.address(), "first-byte-timeout = \"50ms\"");
        assert_eq!(gateway.get("/").status, 504);
        assert_eq!(gateway.get("/").text(), "another one");
    }

    #[test]
    fn who_does_not_speak_it_is_a_bad_gateway() {
        let upstream = Upstream::start();
        assert_eq!(before(upstream.address(), "").get("/").status, 502);
        let port = ClosedPort::new();
        let gateway = before(port.address(), "");
        let mut clients: Vec<_> = (0..4).map(|_| gateway.connect()).collect();
        clients.iter_mut().for_each(|client| client.send(&Request::get("/")));
        assert!(clients.iter_mut().all(|client| client.response().status == 502));
    }
}
