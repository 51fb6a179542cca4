//! Stories of HTTP/2 downstream: many requests at once, their shape towards HTTP/1.1, and clients that abuse it.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tollgate_tests::http2::{H2Frame, Http2, block, flag, frame, kind, request};
use tollgate_tests::{Answer, Gate, Request, Response, RunningGateway, TestGateway, Upstream, curl, eventually, tool};

// Error codes (RFC 9113, section 7).
const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_CONCURRENT_STREAMS: u16 = 3;

fn before(upstream: &Upstream) -> RunningGateway {
    limited(upstream, "")
}

fn limited(upstream: &Upstream, limits: &str) -> RunningGateway {
    let config = format!(
        "[limits]\n{limits}\n[[listeners]]\naddress = \"{{listen}}\"\n\
         [upstreams.only]\nendpoints = [\"{{upstream}}\"]\n[[routes]]\nupstream = \"only\"\n"
    );
    TestGateway::new().upstream(upstream).config(&config).workers(1).start()
}

fn http2(gateway: &RunningGateway) -> Http2 {
    Http2::open(gateway.address(), &[])
}

fn curl_to(gateway: &RunningGateway, path: &str, args: &[&str]) -> Response {
    let url = format!("http://{}{path}", gateway.address());
    curl(&[&["--http2-prior-knowledge", &url], args].concat()).unwrap()
}

mod messages {
    use super::*;

    #[test]
    fn a_request_arrives_as_http_11_would_have_it() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let response = curl_to(&gateway, "/a%20b?q=1", &["-H", "x-own: 1", "--data", "text"]);
        assert_eq!(response.version, "HTTP/2");
        let echo = response.echo();
        assert_eq!((echo.method.as_str(), echo.path.as_str(), echo.body.as_str()), ("POST", "/a%20b?q=1", "text"));
        assert_eq!(echo.field("host"), Some(gateway.address().to_string().as_str()));
        assert_eq!((echo.field("x-own"), echo.field("content-length")), (Some("1"), Some("4")));
        assert_eq!(gateway.get("/").version, "HTTP/1.1", "the same listener speaks both");
    }

    #[test]
    fn cookies_are_joined() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        let fields = [request("GET", "/", "a.test"), vec![("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")]].concat();
        client.request(1, &fields, true);
        assert_eq!(client.next_of(kind::HEADERS).status(), 200);
        assert_eq!(upstream.request().field("cookie"), Some("a=1; b=2"));
        assert_eq!(upstream.request().field("host"), Some("a.test"));
    }

    #[test]
    fn trailers_go_both_ways() {
        let answer = Answer::status(200).field("trailer", "x-sum").chunk("data").trailer("x-sum", "7");
        let upstream = Upstream::answering(answer);
        let gateway = before(&upstream);
        let response = curl_to(&gateway, "/", &[]);
        assert_eq!((response.text().as_str(), response.trailers.get("x-sum")), ("data", Some("7")));
        let mut client = http2(&gateway);
        client.request(1, &[request("POST", "/", "a.test"), vec![("trailer", "x-check")]].concat(), false);
        client.send(kind::DATA, 0, 1, b"body");
        client.send(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block(&[("x-check", "9")]));
        assert_eq!(client.next_of(kind::HEADERS).status(), 200);
        let request = upstream.requests().pop().unwrap();
        assert_eq!((request.body.as_slice(), request.trailers.get("x-check")), (&b"body"[..], Some("9")));
    }

    #[test]
    fn ten_mebibytes_go_both_ways() {
        let upstream = Upstream::with(|call| {
            let request = call.read_body()?;
            call.answer(&Answer::ok(request.body))
        });
        let gateway = before(&upstream);
        let body: Vec<u8> = (0..10 << 20).map(|index: usize| (index / 7) as u8).collect();
        let file = tollgate_tests::Folder::new();
        let path = file.write("body", &body).display().to_string();
        let response = curl_to(&gateway, "/", &["--data-binary", &format!("@{path}")]);
        assert!(response.body == body, "the body has changed");
    }

    #[test]
    fn head_and_empty_responses_end_with_their_head() {
        let upstream = Upstream::with(|call| {
            let status = if call.request.method == "HEAD" { 200 } else { 204 };
            call.answer(&Answer::status(status).body("content"))
        });
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        for (stream, method, status) in [(1, "HEAD", 200), (3, "GET", 204)] {
            client.request(stream, &request(method, "/", "a.test"), true);
            let head = client.next_of(kind::HEADERS);
            assert_eq!((head.stream, head.status(), head.flags & flag::END_STREAM), (stream, status, flag::END_STREAM));
        }
    }

    #[test]
    fn what_has_two_meanings_is_refused() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        let differs = [request("GET", "/", "a.test"), vec![("host", "b.test")]].concat();
        let without = vec![(":method", "GET"), (":scheme", "http"), (":path", "/")];
        let user = request("GET", "/", "me@a.test");
        let [list, mark, port] = ["a,b.test", "a!b.test", "a.test:99999"].map(|host| request("GET", "/", host));
        for (stream, fields) in [(1, differs), (3, without), (5, user), (7, list), (9, mark), (11, port)] {
            client.request(stream, &fields, true);
            assert_eq!(client.next_of(kind::HEADERS).status(), 400, "{fields:?}");
        }
        assert!(upstream.requests().is_empty());
        let agrees = [request("GET", "/", "a.test"), vec![("host", "A.test")]].concat();
        client.request(13, &agrees, true);
        assert_eq!(client.next_of(kind::HEADERS).status(), 200);
    }

    #[test]
    fn fields_of_a_connection_have_no_place() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        let wrong = [
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("keep-alive", "5"),
            ("proxy-connection", "close"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
        ];
        for (place, field) in wrong.into_iter().enumerate() {
            let stream = u32::try_from(2 * place + 1).unwrap();
            client.request(stream, &[request("GET", "/", "a.test"), vec![field]].concat(), true);
            assert_eq!(client.next_of(kind::RST_STREAM).code(), PROTOCOL_ERROR, "{field:?}");
        }
        client.request(99, &[request("GET", "/", "a.test"), vec![("X-Upper", "1")]].concat(), true);
        assert_ne!(client.next_of(kind::GOAWAY).code(), 0);
        assert!(upstream.requests().is_empty());
    }

    #[test]
    fn too_large_a_head_is_refused() {
        let upstream = Upstream::start();
        let gateway = limited(&upstream, "header-bytes = \"16KiB\"\nheader-fields = 50");
        let mut client = http2(&gateway);
        let large = "x".repeat(15 << 10);
        let large = [request("GET", "/", "a.test"), vec![("x-large", &large), ("x-more", &large[..2_000])]].concat();
        let many = [request("GET", "/", "a.test"), vec![("x", "y"); 51]].concat();
        let begin = &block(&large)[..16_000];
        client.send(kind::HEADERS, flag::END_STREAM, 1, begin);
        client.send(kind::CONTINUATION, flag::END_HEADERS, 1, &block(&large)[16_000..]);
        assert_eq!(client.next_of(kind::HEADERS).status(), 431);
        client.request(3, &many, true);
        assert_eq!(client.next_of(kind::HEADERS).status(), 431);
        client.get(5, "/");
        assert_eq!(client.next_of(kind::HEADERS).status(), 200, "the connection goes on");
    }

    #[test]
    fn connect_is_not_served() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        client.request(1, &[(":method", "CONNECT"), (":authority", "a.test:443")], true);
        assert_eq!(client.next_of(kind::HEADERS).status(), 501);
    }
}

mod connections {
    use super::*;

    #[test]
    fn thousands_of_requests_share_a_few_connections() {
        let upstream = Upstream::answering(Answer::ok("x".repeat(2_000)));
        let gateway = before(&upstream);
        let url = format!("http://{}/", gateway.address());
        let output = tool("h2load", "nghttp2-client", |command| command.args(["-n3000", "-c3", "-m100", &url]));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("3000 succeeded, 0 failed, 0 errored, 0 timeout"), "{text}");
        assert_eq!(gateway.metric("tollgate_connections_total"), 3.0);
        assert_eq!(gateway.metric("tollgate_http2_floods_total"), 0.0);
        eventually("all have ended", || gateway.metric("tollgate_exchanges_open") == 0.0);
    }

    #[test]
    fn one_slow_answer_holds_up_no_other() {
        let gate = Gate::new();
        let upstream = Upstream::with({
            let gate = gate.clone();
            move |call| {
                if call.request.path == "/slow" {
                    gate.wait();
                }
                call.answer(&Answer::ok("done"))
            }
        });
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        client.get(1, "/slow");
        client.get(3, "/fast");
        assert_eq!(client.next_of(kind::HEADERS).stream, 3);
        gate.open();
        assert_eq!(client.next_of(kind::HEADERS).stream, 1);
    }

    #[test]
    fn a_stream_that_its_client_resets_ends_its_exchange() {
        let upstream = Upstream::with(|call| {
            call.wait_for_close();
            Ok(false)
        });
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        client.get(1, "/");
        eventually("it is under way", || upstream.requests().len() == 1);
        client.send(kind::RST_STREAM, 0, 1, &CANCEL.to_be_bytes());
        eventually("it has ended", || gateway.metric("tollgate_exchanges_open") == 0.0);
        eventually("the upstream need not answer", || upstream.open_connections() == 0);
    }

    #[test]
    fn who_does_not_read_makes_the_other_end_wait() {
        const MUCH: usize = 256 << 20;
        let gate = Gate::new();
        let taken = Arc::new(AtomicU64::new(0));
        let upstream = Upstream::with({
            let (gate, taken) = (gate.clone(), Arc::clone(&taken));
            move |call| {
                if call.request.method == "GET" {
                    call.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {MUCH}\r\n\r\n").as_bytes())?;
                    taken.store(call.write_until_blocked(MUCH as u64)?, Ordering::SeqCst);
                }
                gate.wait();
                Ok(false)
            }
        });
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        client.get(1, "/");
        eventually("the upstream is held up", || taken.load(Ordering::SeqCst) > 0);
        assert!(taken.load(Ordering::SeqCst) < MUCH as u64 / 4);
        let mut client = http2(&gateway);
        client.request(1, &request("POST", "/", "a.test"), false);
        let sent = client.upload_until_blocked(1, MUCH);
        assert!((200 << 10..MUCH / 4).contains(&sent), "{sent} bytes were taken");
        gate.open();
    }

    #[test]
    fn a_drain_says_goodbye_and_lets_streams_end() {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::status(200).wait(&gate).body("done"));
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        client.get(1, "/");
        eventually("it is under way", || upstream.requests().len() == 1);
        let stopping = std::thread::spawn(move || gateway.shutdown());
        assert_eq!(client.next_of(kind::GOAWAY).code(), 0);
        gate.open();
        let rest = client.rest();
        let last = rest.iter().rfind(|frame| frame.stream == 1).unwrap();
        assert_eq!((last.kind, last.payload.as_slice(), last.flags), (kind::DATA, &b"done"[..], flag::END_STREAM));
        stopping.join().unwrap();
    }

    #[test]
    fn an_idle_connection_is_let_go() {
        let upstream = Upstream::start();
        let gateway = limited(&upstream, "keep-alive = \"1s\"");
        let mut client = http2(&gateway);
        client.get(1, "/");
        assert_eq!(client.next_of(kind::HEADERS).status(), 200);
        assert_eq!(client.next_of(kind::GOAWAY).code(), 0);
        client.rest();
        eventually("it is closed", || gateway.metric("tollgate_connections_open") == 0.0);
    }

    #[test]
    fn a_preface_or_a_head_that_does_not_go_on_is_cut() {
        let upstream = Upstream::start();
        let gateway = limited(&upstream, "header-timeout = \"1s\"");
        let mut preface = gateway.connect();
        preface.write("PRI * HTTP/2.0\r\n\r\n");
        let mut head = http2(&gateway);
        head.send(kind::HEADERS, flag::END_STREAM, 1, &block(&request("GET", "/", "a.test")));
        preface.expect_close();
        head.rest();
        assert!(upstream.requests().is_empty());
    }

    #[test]
    fn what_only_begins_like_a_preface_is_http_11() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        for method in ["PRI", "PRIX", "PROPFIND", "P"] {
            assert_eq!(gateway.send(Request::new(method, "/")).echo().method, method);
        }
        let mut slow = gateway.connect();
        for piece in ["P", "R", "I /a HTTP/1.1\r\nhost: a\r\n\r\n"] {
            slow.write(piece);
        }
        assert_eq!(slow.response().echo().path, "/a");
    }
}

mod abuse {
    use super::*;

    /// Sends the bytes that a number gives, again and again, until the gateway closes; says how often.
    fn until_cut(client: &mut Http2, most: u32, bytes: impl Fn(u32) -> Vec<u8>) -> u32 {
        (0..most).take_while(|count| client.write(&bytes(*count)).is_ok()).count() as u32
    }

    fn open_and_reset(count: u32) -> Vec<u8> {
        let stream = 2 * count + 1;
        let head = block(&request("GET", "/", "a.test"));
        let open = frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &head);
        [open, frame(kind::RST_STREAM, 0, stream, &CANCEL.to_be_bytes())].concat()
    }

    /// Others are served by the same worker.
    fn goes_on(gateway: &RunningGateway) {
        assert_eq!(gateway.get("/").status, 200);
        eventually("nothing is left of it", || gateway.metric("tollgate_exchanges_open") == 0.0);
    }

    #[test]
    fn rapid_resets_are_cut_off() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        until_cut(&mut client, 100_000, open_and_reset);
        goes_on(&gateway);
        let requests = upstream.requests().len();
        assert!(requests < 1_000, "{requests} requests went on to the upstream");
    }

    #[test]
    fn resets_one_at_a_time_are_cut_off_too() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        // Each is read by itself, so that no queue of unaccepted streams ever forms.
        let paced = |client: &mut Http2, count: u32| {
            client.write(&open_and_reset(count)).and_then(|()| client.write(&frame(kind::PING, 0, 0, &[0; 8]))).is_ok()
                && std::iter::from_fn(|| client.read()).any(|frame| frame.kind == kind::PING)
        };
        let opened = (0..2_000).take_while(|count| paced(&mut client, *count)).count();
        assert!((100..1_000).contains(&opened), "{opened} streams were opened");
        eventually("it is counted", || gateway.metric("tollgate_http2_floods_total") == 1.0);
        goes_on(&gateway);
    }

    #[test]
    fn control_frames_without_end_are_cut_off() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        for (kind, stream, payload) in
            [(kind::PING, 0, &[0; 8][..]), (kind::SETTINGS, 0, &[]), (2, 1, &[0, 0, 0, 0, 1]), (0xfa, 0, &[])]
        {
            let mut client = http2(&gateway);
            let many = frame(kind, 0, stream, payload).repeat(100);
            let sent = until_cut(&mut client, 10_000, |_| many.clone());
            assert!(sent < 10_000, "frames of type {kind}");
        }
        eventually("all are counted", || gateway.metric("tollgate_http2_floods_total") == 4.0);
        goes_on(&gateway);
    }

    #[test]
    fn a_head_without_end_is_cut_off() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        for piece in [vec![], block(&[("x", &"y".repeat(1_000))])] {
            let mut client = http2(&gateway);
            client.send(kind::HEADERS, flag::END_STREAM, 1, &block(&request("GET", "/", "a.test")));
            let more = frame(kind::CONTINUATION, 0, 1, &piece);
            let sent = until_cut(&mut client, 100_000, |_| more.clone());
            assert!(sent < 100_000);
        }
        assert!(upstream.requests().is_empty());
        goes_on(&gateway);
    }

    #[test]
    fn no_more_streams_are_open_than_may_be() {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::after(&gate));
        for (limits, most) in [("", 128), ("http2-streams = 5", 5)] {
            let gateway = limited(&upstream, limits);
            let mut client = http2(&gateway);
            let settings = client.read().unwrap();
            assert_eq!(setting(&settings, MAX_CONCURRENT_STREAMS), Some(most));
            (0..=most).for_each(|count| client.get(2 * count + 1, "/"));
            let refused = client.next_of(kind::RST_STREAM);
            assert_eq!((refused.stream, refused.code()), (2 * most + 1, REFUSED_STREAM));
            eventually("the others are under way", || gateway.metric("tollgate_exchanges_open") == f64::from(most));
        }
        gate.open();
    }

    fn setting(frame: &H2Frame, id: u16) -> Option<u32> {
        assert_eq!(frame.kind, kind::SETTINGS);
        let found = frame.payload.chunks(6).find(|setting| setting[..2] == id.to_be_bytes());
        found.map(|setting| u32::from_be_bytes(setting[2..].try_into().unwrap()))
    }

    #[test]
    fn a_response_that_nobody_takes_is_given_up() {
        for body in ["small".to_owned(), "x".repeat(1 << 20)] {
            let upstream = Upstream::answering(Answer::ok(body));
            let gateway = limited(&upstream, "body-idle = \"1s\"");
            let mut client = Http2::open(gateway.address(), &[(INITIAL_WINDOW_SIZE, 0)]);
            client.get(1, "/");
            client.get(3, "/");
            assert_eq!(client.next_of(kind::HEADERS).status(), 200);
            for _ in 0..2 {
                assert_eq!(client.next_of(kind::RST_STREAM).code(), CANCEL);
            }
            eventually("both have ended", || gateway.metric("tollgate_exchanges_open") == 0.0);
            // The connection goes on.
            client.get(5, "/");
            assert_eq!(client.next_of(kind::HEADERS).status(), 200);
        }
    }

    #[test]
    fn a_response_that_is_taken_slowly_arrives() {
        let upstream = Upstream::answering(Answer::ok("x".repeat(100 << 10)));
        let gateway = limited(&upstream, "body-idle = \"1s\"");
        let mut client = Http2::open(gateway.address(), &[(INITIAL_WINDOW_SIZE, 100)]);
        client.get(1, "/");
        let mut bytes = 0;
        loop {
            let frame = client.next_frame().unwrap();
            assert_ne!(frame.kind, kind::RST_STREAM);
            if frame.kind == kind::DATA {
                bytes += frame.payload.len();
                let more = u32::try_from(frame.payload.len() * 2).unwrap();
                if frame.flags & flag::END_STREAM != 0 {
                    break;
                }
                if more > 0 {
                    client.send(kind::WINDOW_UPDATE, 0, 1, &more.to_be_bytes());
                    client.send(kind::WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
                }
            }
        }
        assert_eq!(bytes, 100 << 10);
    }

    #[test]
    fn who_reads_nothing_at_all_is_cut() {
        let upstream = Upstream::answering(Answer::ok("x".repeat(32 << 20)));
        let gateway = limited(&upstream, "body-idle = \"1s\"");
        let (mut one, mut two) = (gateway.connect(), Http2::open(gateway.address(), &[(INITIAL_WINDOW_SIZE, 1 << 30)]));
        one.send(&Request::get("/"));
        two.send(kind::WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
        two.get(1, "/");
        eventually("both are under way", || gateway.metric("tollgate_exchanges_open") == 2.0);
        eventually("both are cut", || gateway.metric("tollgate_connections_open") == 0.0);
        eventually("both have ended", || gateway.metric("tollgate_exchanges_open") == 0.0);
        drop((one, two));
    }

    #[test]
    fn a_request_body_that_stands_still_is_given_up() {
        let upstream = Upstream::start();
        let gateway = limited(&upstream, "body-idle = \"1s\"");
        let mut client = http2(&gateway);
        client.request(1, &request("POST", "/", "a.test"), false);
        client.send(kind::DATA, 0, 1, b"begin");
        assert_eq!(client.next_of(kind::HEADERS).status(), 400);
    }

    #[test]
    fn mistakes_that_make_the_gateway_reset_are_bounded() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = http2(&gateway);
        // A window that grows by nothing is an error of its stream (section 6.9).
        let mistake = |count: u32| {
            let stream = 2 * count + 1;
            let head = block(&request("GET", "/", "a.test"));
            let open = frame(kind::HEADERS, flag::END_HEADERS, stream, &head);
            [open, frame(kind::WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
        };
        until_cut(&mut client, 100_000, mistake);
        let goodbye = client.rest().into_iter().rfind(|frame| frame.kind == kind::GOAWAY);
        assert!(goodbye.is_none_or(|frame| [ENHANCE_YOUR_CALM, PROTOCOL_ERROR].contains(&frame.code())));
        goes_on(&gateway);
        let requests = upstream.requests().len();
        assert!(requests < 1_000, "{requests} requests went on to the upstream");
    }
}
