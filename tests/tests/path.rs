//! Stories of the path: what goes through, in which shape, and what becomes of what goes wrong.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tollgate_tests::{
    Answer, Chunk, ClosedPort, Connection, Fields, Gate, Request, RunningGateway, TestGateway, Upstream, eventually,
};

const TEN_MIB: usize = 10 << 20;

fn before(upstream: &Upstream) -> RunningGateway {
    TestGateway::new().upstream(upstream).workers(1).start()
}

/// With these keys in front of everything else, as in `[limits]`.
fn configured(upstream: &Upstream, first: &str, of_upstream: &str) -> RunningGateway {
    let config = format!(
        "{first}\n[[listeners]]\naddress = \"{{listen}}\"\n\
         [upstreams.only]\nendpoints = [\"{{upstream}}\"]\n{of_upstream}\n[[routes]]\nupstream = \"only\"\n"
    );
    TestGateway::new().upstream(upstream).config(&config).workers(1).start()
}

mod messages {
    use super::*;

    #[test]
    fn method_path_fields_and_body_go_through() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
            let request =
                Request::new(method, "/a%20b/?q=%C3%A4&q=2").field("x-own", "1").field("X-Own", "2").body("text");
            let echo = gateway.send(request).echo();
            assert_eq!(
                (echo.method.as_str(), echo.path.as_str(), echo.body.as_str()),
                (method, "/a%20b/?q=%C3%A4&q=2", "text")
            );
            assert_eq!(echo.fields.all("x-own"), ["1", "2"]);
            assert_eq!((echo.field("host"), echo.field("content-length")), (Some("gateway.test"), Some("4")));
        }
    }

    #[test]
    fn status_fields_and_body_come_back() {
        let answer = Answer::status(418)
            .field("set-cookie", "a=1")
            .field("set-cookie", "b=2")
            .field("x-raw", "\u{e4}")
            .body("tea");
        let upstream = Upstream::answering(answer);
        let response = before(&upstream).get("/");
        assert_eq!(
            (response.status, response.text().as_str(), response.field("content-length")),
            (418, "tea", Some("3"))
        );
        assert_eq!(response.fields.all("set-cookie"), ["a=1", "b=2"]);
        assert_eq!(response.field("x-raw"), Some("\u{e4}"));
        assert_eq!(response.field("via"), None, "the gateway does not name itself");
    }

    #[test]
    fn a_chunked_body_stays_chunked() {
        let upstream = Upstream::answering(Answer::status(200).chunk("one ").chunk("two"));
        let gateway = before(&upstream);
        let response = gateway.send(Request::new("POST", "/").chunks(["a", "bc"]));
        assert_eq!((response.text().as_str(), response.field("transfer-encoding")), ("one two", Some("chunked")));
        let request = upstream.request();
        assert_eq!((request.body.as_slice(), request.field("transfer-encoding")), (&b"abc"[..], Some("chunked")));
    }

    #[test]
    fn a_body_of_unknown_length_ends_with_the_upstreams_connection() {
        let upstream = Upstream::answering(Answer::raw("HTTP/1.1 200 OK\r\n\r\nuntil the end").close());
        let response = before(&upstream).get("/");
        assert_eq!((response.text().as_str(), response.field("transfer-encoding")), ("until the end", Some("chunked")));
    }

    #[test]
    fn ten_mebibytes_go_both_ways() {
        let upstream = Upstream::with(|call| {
            let request = call.read_body()?;
            call.answer(&Answer::ok(request.body))
        });
        let gateway = before(&upstream);
        let body: Vec<u8> = (0..TEN_MIB).map(|index| (index / 7) as u8).collect();
        let response = gateway.send(Request::post("/", body.clone()));
        assert!(response.body == body, "the body has changed");
    }

    #[test]
    fn the_answer_to_head_keeps_its_length_and_has_no_body() {
        let upstream = Upstream::answering(Answer::ok("content"));
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        let response = client.request(Request::new("HEAD", "/"));
        assert_eq!((response.status, response.field("content-length"), response.body.len()), (200, Some("7"), 0));
        assert_eq!(client.request(Request::get("/")).text(), "content", "the connection is still in step");
    }

    #[test]
    fn responses_without_content_leave_the_connection_in_step() {
        for status in [204, 304] {
            let upstream = Upstream::answering(Answer::status(status).field("etag", "\"1\""));
            let gateway = before(&upstream);
            let mut client = gateway.connect();
            for _ in 0..2 {
                let response = client.request(Request::get("/"));
                assert_eq!((response.status, response.field("etag"), response.body.len()), (status, Some("\"1\""), 0));
            }
            assert_eq!(upstream.connections(), 1);
        }
    }

    #[test]
    fn what_comes_before_the_final_response_is_not_it() {
        let early = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        let upstream = Upstream::answering(Answer::raw(early));
        assert_eq!(before(&upstream).get("/").text(), "ok");
    }

    #[test]
    fn trailers_go_both_ways() {
        let answer = Answer::status(200).field("trailer", "x-sum").chunk("data").trailer("x-sum", "7");
        let upstream = Upstream::answering(answer);
        let gateway = before(&upstream);
        let request = Request::new("POST", "/").field("trailer", "x-check").field("te", "trailers").chunks(["a"]);
        let response = gateway.send(request.trailer("x-check", "9"));
        assert_eq!((response.text().as_str(), response.trailers.get("x-sum")), ("data", Some("7")));
        assert_eq!(upstream.request().trailers.get("x-check"), Some("9"));
    }
}

mod streaming {
    use super::*;

    #[test]
    fn each_piece_of_a_response_arrives_as_it_is_sent() {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::status(200).chunk("first").wait(&gate).chunk("second"));
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.send(&Request::get("/"));
        client.head();
        assert_eq!(client.chunk(), Some(Chunk::Data(b"first".into())));
        gate.open();
        assert_eq!(client.chunk(), Some(Chunk::Data(b"second".into())));
        assert_eq!(client.chunk(), Some(Chunk::Last(Fields::default())));
    }

    #[test]
    fn each_piece_of_a_request_arrives_as_it_is_sent() {
        let first = Gate::new();
        let seen = first.clone();
        let upstream = Upstream::with(move |call| {
            assert_eq!(call.read_chunk()?, Chunk::Data(b"first".into()));
            seen.open();
            let rest = call.read_body()?;
            call.answer(&Answer::ok(rest.body))
        });
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").chunks([]));
        client.write_chunk("first");
        first.wait();
        client.write_chunk("second");
        client.write_last_chunk();
        assert_eq!(client.response().text(), "second");
    }

    #[test]
    fn a_client_that_does_not_read_holds_the_upstream_back() {
        let (taken, done) = (Arc::new(AtomicUsize::new(0)), Gate::new());
        let (count, end) = (Arc::clone(&taken), done.clone());
        let most: u64 = 256 << 20;
        let upstream = Upstream::with(move |call| {
            call.write(b"HTTP/1.1 200 OK\r\n\r\n")?;
            count.store(call.write_until_blocked(most)? as usize, Ordering::SeqCst);
            end.open();
            Ok(false)
        });
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.send(&Request::get("/"));
        client.head();
        done.wait();
        assert!(taken.load(Ordering::SeqCst) < most as usize, "everything was taken in, and kept somewhere");
        assert!(!client.some().is_empty());
    }

    #[test]
    fn an_upstream_that_does_not_read_holds_the_client_back() {
        let release = Gate::new();
        let wait = release.clone();
        let upstream = Upstream::with(move |_| {
            wait.wait();
            Ok(false)
        });
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        let most: u64 = 256 << 20;
        client.send(&Request::new("POST", "/").field("content-length", &most.to_string()));
        assert!(client.write_until_blocked(most) < most, "everything was taken in, and kept somewhere");
        release.open();
    }

    #[test]
    fn a_response_may_come_before_the_request_has_ended() {
        let upstream = Upstream::with(|call| {
            call.answer(&Answer::status(413).field("connection", "close").body("too much").close())
        });
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").chunks([]));
        client.write_chunk("first");
        assert_eq!(client.response().status, 413);
    }
}

mod connections {
    use super::*;

    #[test]
    fn a_connection_serves_many_requests_and_so_does_the_upstreams() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        for index in 0..5 {
            assert_eq!(client.request(Request::get(&format!("/{index}"))).echo().path, format!("/{index}"));
        }
        assert_eq!(gateway.get("/other").status, 200);
        assert_eq!(upstream.connections(), 1, "the worker uses its upstream connection again");
        assert_eq!(gateway.metric("tollgate_upstream_connects_total{upstream=\"upstream\"}"), 1.0);
    }

    #[test]
    fn requests_at_the_same_time_have_connections_of_their_own() {
        let gate = Gate::new();
        let wait = gate.clone();
        let upstream = Upstream::with(move |call| {
            wait.wait();
            call.answer(&Answer::ok("done"))
        });
        let gateway = before(&upstream);
        let mut clients: Vec<_> = (0..4).map(|_| gateway.connect()).collect();
        clients.iter_mut().for_each(|client| client.send(&Request::get("/")));
        eventually("all four are under way", || upstream.requests().len() == 4);
        gate.open();
        assert!(clients.iter_mut().all(|client| client.response().text() == "done"));
        assert_eq!(upstream.connections(), 4);
    }

    #[test]
    fn pipelined_requests_are_answered_in_order() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.write("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nPOST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nxGET /3 HTTP/1.1\r\nhost: a\r\n\r\n");
        let paths: Vec<_> = (0..3).map(|_| client.response().echo().path).collect();
        assert_eq!(paths, ["/1", "/2", "/3"]);
    }

    #[test]
    fn a_client_that_wants_no_further_request_is_closed() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        let response = client.request(Request::get("/").field("connection", "close"));
        assert_eq!((response.status, response.field("connection")), (200, Some("close")));
        client.expect_close();
        assert_eq!(gateway.get("/").status, 200);
        assert_eq!(upstream.connections(), 1, "the client's wish is not the upstream's");
    }

    #[test]
    fn an_upstream_that_wants_no_further_request_costs_the_client_nothing() {
        let upstream = Upstream::answering(Answer::ok("bye").field("connection", "close").close());
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        for _ in 0..3 {
            let response = client.request(Request::get("/"));
            assert_eq!((response.text().as_str(), response.field("connection")), ("bye", None));
        }
        assert_eq!(upstream.connections(), 3);
    }

    #[test]
    fn a_pooled_connection_that_has_gone_stale_is_replaced() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        for round in 1..=5 {
            assert_eq!(client.request(Request::post("/", "body")).echo().body, "body");
            assert_eq!(upstream.connections(), round);
            upstream.close_connections();
        }
    }

    #[test]
    fn http_10_is_served_without_chunks_and_closed() {
        let upstream = Upstream::answering(Answer::status(200).chunk("all ").chunk("of it"));
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        let response = client.request(Request::get("/").http_10());
        assert_eq!((response.version.as_str(), response.text().as_str()), ("HTTP/1.0", "all of it"));
        assert_eq!(response.field("transfer-encoding"), None);
        client.expect_close();
    }

    #[test]
    fn http_10_needs_no_host() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.write("GET /old HTTP/1.0\r\n\r\n");
        assert_eq!(client.response().echo().path, "/old");
    }

    #[test]
    fn a_client_that_goes_away_frees_the_upstream() {
        let (arrived, gone) = (Gate::new(), Gate::new());
        let gates = (arrived.clone(), gone.clone());
        let upstream = Upstream::with(move |call| {
            gates.0.open();
            call.wait_for_close();
            gates.1.open();
            Ok(false)
        });
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.send(&Request::get("/"));
        arrived.wait();
        drop(client);
        gone.wait();
        eventually("the exchange is over", || gateway.metric("tollgate_exchanges_open") == 0.0);
    }

    #[test]
    fn a_client_that_goes_away_while_it_is_answered_frees_the_upstream() {
        let gone = Gate::new();
        let over = gone.clone();
        let upstream = Upstream::with(move |call| {
            call.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndata\r\n")?;
            call.wait_for_close();
            over.open();
            Ok(false)
        });
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.send(&Request::get("/"));
        client.head();
        drop(client);
        gone.wait();
    }
}

mod fields {
    use super::*;

    #[test]
    fn fields_of_the_connection_stay_with_it() {
        let answer = Answer::ok("x")
            .field("connection", "x-hop")
            .field("x-hop", "1")
            .field("keep-alive", "timeout=5")
            .field("x-stays", "1");
        let upstream = Upstream::answering(answer);
        let gateway = before(&upstream);
        let request = Request::get("/")
            .field("connection", "keep-alive, X-Secret")
            .field("x-secret", "1")
            .field("keep-alive", "5")
            .field("proxy-connection", "keep-alive")
            .field("te", "gzip")
            .field("upgrade", "h2c")
            .field("x-stays", "1");
        let response = gateway.send(request);
        let request = upstream.request();
        for name in ["connection", "x-secret", "keep-alive", "proxy-connection", "te", "upgrade"] {
            assert_eq!(request.field(name), None, "{name}");
        }
        assert_eq!(request.field("x-stays"), Some("1"));
        assert_eq!(
            (response.field("x-hop"), response.field("keep-alive"), response.field("x-stays")),
            (None, None, Some("1"))
        );
    }

    #[test]
    fn connection_cannot_name_what_the_message_needs() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let echo = gateway.send(Request::post("/", "text").field("connection", "host, content-length, close")).echo();
        assert_eq!((echo.field("host"), echo.body.as_str()), (Some("gateway.test"), "text"));
    }

    #[test]
    fn the_upstream_learns_who_the_client_is() {
        let upstream = Upstream::start();
        let echo = before(&upstream).get("/").echo();
        assert_eq!(echo.field("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(echo.field("x-forwarded-proto"), Some("http"));
        assert_eq!(echo.field("x-forwarded-host"), Some("gateway.test"));
        assert_eq!(echo.field("forwarded"), None);
    }

    #[test]
    fn what_the_client_says_about_itself_comes_before_what_the_gateway_saw() {
        let upstream = Upstream::start();
        let request = Request::get("/")
            .field("x-forwarded-for", "9.9.9.9")
            .field("x-forwarded-proto", "https")
            .field("x-forwarded-host", "evil.test")
            .field("forwarded", "for=9.9.9.9");
        let echo = before(&upstream).send(request).echo();
        assert_eq!(echo.field("x-forwarded-for"), Some("9.9.9.9, 127.0.0.1"));
        assert_eq!(echo.field("x-forwarded-proto"), Some("http"));
        assert_eq!(echo.field("x-forwarded-host"), Some("gateway.test"));
        assert_eq!(echo.fields.all("forwarded"), ["for=9.9.9.9", "for=127.0.0.1;proto=http"]);
    }

    #[test]
    fn an_absolute_target_becomes_path_and_host() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.write("GET http://api.example.com:81/a?b HTTP/1.1\r\nhost: api.example.com:81\r\n\r\n");
        let echo = client.response().echo();
        assert_eq!((echo.path.as_str(), echo.field("host")), ("/a?b", Some("api.example.com:81")));
    }

    #[test]
    fn a_client_that_expects_continue_is_told_to() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").field("expect", "100-continue").field("content-length", "4"));
        assert_eq!(client.response().status, 100);
        client.write("body");
        let echo = client.response().echo();
        assert_eq!((echo.body.as_str(), echo.field("expect")), ("body", None));
    }

    #[test]
    fn a_client_that_expects_continue_in_vain_is_not_told_to() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).config(
            "[[listeners]]\naddress = \"{listen}\"\n[upstreams.only]\nendpoints = [\"{upstream}\"]\n\
             [[routes]]\npath = { prefix = \"/known\" }\nupstream = \"only\"\n",
        );
        let gateway = gateway.start();
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").field("expect", "100-continue").field("content-length", "4"));
        assert_eq!(client.response().status, 404);
    }
}

mod refusals {
    use super::*;

    /// The status that these bytes are answered with.
    fn answer_to(bytes: &str) -> u16 {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.write(bytes);
        let status = client.response().status;
        assert_eq!(upstream.requests().len(), 0, "the upstream has seen it");
        status
    }

    #[test]
    fn a_request_has_exactly_one_valid_host() {
        assert_eq!(answer_to("GET / HTTP/1.1\r\n\r\n"), 400);
        assert_eq!(answer_to("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"), 400);
        assert_eq!(answer_to("GET / HTTP/1.1\r\nhost: a/b\r\n\r\n"), 400);
        assert_eq!(answer_to("GET / HTTP/1.1\r\nhost: user@a\r\n\r\n"), 400);
        assert_eq!(answer_to("GET / HTTP/1.1\r\nhost: a b\r\n\r\n"), 400);
        assert_eq!(answer_to("GET http://a/ HTTP/1.1\r\n\r\n"), 400);
    }

    #[test]
    fn the_reason_is_a_problem_document() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.write("GET / HTTP/1.1\r\n\r\n");
        assert_eq!(client.response().problem(), "a request has exactly one valid Host field");
    }

    #[test]
    fn what_could_be_framed_in_two_ways_is_refused() {
        let post = "POST / HTTP/1.1\r\nhost: a\r\n";
        assert_eq!(answer_to(&format!("{post}content-length: 1\r\ncontent-length: 2\r\n\r\nxx")), 400);
        assert_eq!(answer_to(&format!("{post}content-length: +1\r\n\r\nx")), 400);
        assert_eq!(answer_to(&format!("{post}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n")), 400);
        assert_eq!(answer_to(&format!("{post}transfer-encoding : chunked\r\n\r\n0\r\n\r\n")), 400);
        assert_eq!(answer_to("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
        assert_eq!(answer_to("GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n"), 400);
    }

    #[test]
    fn too_many_or_too_large_fields_are_refused() {
        let many: String = (0..101).map(|index| format!("x-{index}: 1\r\n")).collect();
        assert_eq!(answer_to(&format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n")), 431);
        // Not a byte more than the limit: a connection that is closed with unread bytes may lose what it was answered.
        let begun = "GET / HTTP/1.1\r\nhost: a\r\nx: ";
        assert_eq!(answer_to(&format!("{begun:x<32768}")), 431);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(answer_to("hello\r\n\r\n"), 400);
        assert_eq!(answer_to("GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n"), 400);
        assert_eq!(answer_to("GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n"), 400);
    }

    #[test]
    fn connect_is_not_served() {
        assert_eq!(answer_to("CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n"), 501);
    }
}

mod failures {
    use super::*;

    const NOT_VALID: &str = "the upstream gave no valid response";

    #[test]
    fn nobody_listens() {
        let port = ClosedPort::new();
        let gateway = TestGateway::new().upstream_at(port.address()).start();
        let response = gateway.get("/");
        assert_eq!((response.status, response.problem().as_str()), (502, NOT_VALID));
        assert_eq!(gateway.metric("tollgate_upstream_failures_total{upstream=\"upstream\"}"), 1.0);
    }

    #[test]
    fn an_endpoint_that_refuses_is_passed_over() {
        let (port, upstream) = (ClosedPort::new(), Upstream::start());
        let gateway = TestGateway::new().upstream(&upstream).word("refusing", &port.address().to_string()).config(
            "[[listeners]]\naddress = \"{listen}\"\n[upstreams.two]\nendpoints = [\"{refusing}\", \"{upstream}\"]\n\
             [[routes]]\nupstream = \"two\"\n",
        );
        let gateway = gateway.start();
        for _ in 0..4 {
            assert_eq!(gateway.send(Request::post("/", "body")).echo().body, "body");
        }
    }

    #[test]
    fn endpoints_take_turns() {
        let upstreams = [Upstream::start(), Upstream::start()];
        let gateway =
            TestGateway::new().upstream(&upstreams[0]).word("second", &upstreams[1].address().to_string()).config(
                "[[listeners]]\naddress = \"{listen}\"\n[upstreams.two]\nendpoints = [\"{upstream}\", \"{second}\"]\n\
             [[routes]]\nupstream = \"two\"\n",
            );
        let gateway = gateway.workers(1).start();
        (0..6).for_each(|_| assert_eq!(gateway.get("/").status, 200));
        assert_eq!(upstreams.map(|upstream| upstream.requests().len()), [3, 3]);
    }

    #[test]
    fn what_is_no_response_is_a_bad_gateway() {
        for lie in [
            "",
            "220 mail.example.com ESMTP\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-le",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 9999 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        ] {
            let upstream = Upstream::answering(Answer::raw(lie).close());
            let response = before(&upstream).get("/");
            assert_eq!((response.status, response.problem().as_str()), (502, NOT_VALID), "{lie:?}");
        }
    }

    #[test]
    fn a_response_with_too_large_a_head_is_a_bad_gateway() {
        let mut answer = Answer::ok("x");
        for index in 0..200 {
            answer = answer.field(&format!("x-{index}"), "1");
        }
        let upstream = Upstream::answering(answer);
        assert_eq!(before(&upstream).get("/").status, 502);
    }

    #[test]
    fn what_an_upstream_sends_too_much_is_nobodys_response() {
        let one = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine";
        let upstream = Upstream::answering(Answer::raw(format!("{one}{}", one.replace("mine", "evil"))));
        let gateway = before(&upstream);
        (0..3).for_each(|_| assert_eq!(gateway.get("/").text(), "mine"));
        assert_eq!(upstream.connections(), 3, "a connection that is out of step serves nobody");
    }

    #[test]
    fn an_upstream_that_does_not_answer_in_time_is_a_gateway_timeout() {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::after(&gate));
        let gateway = configured(&upstream, "", "first-byte-timeout = \"50ms\"");
        let response = gateway.get("/");
        assert_eq!((response.status, response.problem().as_str()), (504, "the upstream did not answer in time"));
        let response = gateway.send(Request::post("/", "body"));
        assert_eq!(response.status, 504);
        eventually("the upstream's connections are closed", || {
            gate.open();
            upstream.open_connections() == 0
        });
    }

    #[test]
    fn a_response_that_is_cut_is_cut_for_the_client_too() {
        let short = Upstream::answering(Answer::ok("half").field("content-length", "8").close());
        let response = before(&short).connect().request(Request::get("/"));
        assert_eq!((response.status, response.complete, response.text().as_str()), (200, false, "half"));
        let chunked = Upstream::answering(Answer::status(200).chunk("half").close());
        let response = before(&chunked).connect().request(Request::get("/"));
        assert_eq!((response.complete, response.text().as_str()), (false, "half"));
    }

    #[test]
    fn a_response_that_stands_still_is_cut() {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::status(200).chunk("half").wait(&gate));
        let gateway = configured(&upstream, "[limits]\nbody-idle = \"50ms\"", "");
        let response = gateway.connect().request(Request::get("/"));
        assert_eq!((response.complete, response.text().as_str()), (false, "half"));
        gate.open();
    }

    #[test]
    fn a_request_that_stands_still_is_given_up() {
        let upstream = Upstream::start();
        let gateway = configured(&upstream, "[limits]\nbody-idle = \"50ms\"", "");
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").field("content-length", "8"));
        client.write("half");
        let response = client.response();
        assert_eq!((response.status, response.problem().as_str()), (400, "the request body ended early"));
        assert!(!upstream.request().complete);
    }

    #[test]
    fn a_request_that_is_cut_is_cut_for_the_upstream_too() {
        let upstream = Upstream::start();
        let gateway = before(&upstream);
        let mut client = gateway.connect();
        client.send(&Request::new("POST", "/").field("content-length", "8"));
        client.write("half");
        eventually("it is under way", || upstream.requests().len() == 1);
        drop(client);
        eventually("it is over", || upstream.open_connections() == 0);
        assert!(!upstream.request().complete);
    }

    #[test]
    fn clients_that_say_nothing_are_closed() {
        let upstream = Upstream::start();
        let gateway = configured(&upstream, "[limits]\nheader-timeout = \"1s\"\nkeep-alive = \"1s\"", "");
        let (mut silent, mut slow, mut idle) = (gateway.connect(), gateway.connect(), gateway.connect());
        slow.write("GET / HTTP/1.1\r\nhost:");
        assert_eq!(idle.request(Request::get("/")).status, 200);
        [&mut silent, &mut slow, &mut idle].into_iter().for_each(Connection::expect_close);
        eventually("they are gone", || gateway.metric("tollgate_connections_open") == 0.0);
    }
}
