//! Stories of bodies that filters see as a whole, end before their end, or give to messages that had none; of trailers; and of
//! exchanges that filters cut.

#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::http2::{Http2, kind};
use tollgate_tests::{Answer, Chunk, Gate, Request, RunningGateway, TestGateway, Upstream, curl, guest};

const MIB: usize = 1 << 20;

fn treating(upstream: &Upstream, config: &str) -> RunningGateway {
    with_limits(upstream, config, "cpu = \"10s\"")
}

fn with_limits(upstream: &Upstream, config: &str, limits: &str) -> RunningGateway {
    let policy = format!("filter = \"body\"\nlimits = {{ {limits} }}\nconfig = {{ {config} }}");
    let gateway = TestGateway::new().upstream(upstream).module("body", guest("body")).workers(1);
    gateway.policy("10-body", &policy).start()
}

#[track_caller]
fn faults(gateway: &RunningGateway) -> f64 {
    gateway.metric("tollgate_filter_faults_total{policy=\"10-body\",class=\"answer\"}")
}

mod whole {
    use super::*;

    #[test]
    fn a_request_is_seen_at_once_and_its_head_changed() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, r#"request = "whole""#);
        let long = "x".repeat(MIB);
        for body in ["content", long.as_str()] {
            let (first, second) = body.split_at(body.len() / 2);
            for request in [Request::post("/", body), Request::post("/", "").chunks([first, second])] {
                let echo = gateway.send(request).echo();
                assert_eq!(echo.body, format!("<{body}>"));
                let length = (body.len() + 2).to_string();
                assert_eq!(echo.field("x-length"), Some(body.len().to_string().as_str()));
                assert_eq!((echo.field("content-length"), echo.field("transfer-encoding")), (Some(&*length), None));
            }
        }
    }

    #[test]
    fn a_response_is_seen_at_once_and_its_head_changed() {
        for answer in [Answer::ok("content"), Answer::status(200).chunk("con").chunk("tent")] {
            let upstream = Upstream::answering(answer);
            let gateway = treating(&upstream, r#"response = "whole""#);
            let response = gateway.get("/");
            assert_eq!((response.text().as_str(), response.field("x-length")), ("<content>", Some("7")));
            assert_eq!(response.field("content-length"), Some("9"));
        }
    }

    #[test]
    fn there_is_a_bound() {
        let upstream = Upstream::with(|call| {
            let size = call.request.path.trim_start_matches('/').parse().unwrap_or_default();
            call.answer(&Answer::status(200).chunk(vec![b'x'; size]))
        });
        let gateway =
            with_limits(&upstream, r#"request = "whole", response = "whole""#, "body = \"2KiB\", cpu = \"10s\"");
        for request in [Request::post("/1", vec![b'x'; 2049]), Request::post("/1", "").chunks([&"x".repeat(2049)])] {
            let response = gateway.send(request);
            assert_eq!((response.status, response.problem().as_str()), (413, "the request body is too large"));
        }
        assert_eq!(upstream.requests().len(), 0);
        let response = gateway.get("/2049");
        assert_eq!((response.status, response.problem().as_str()), (502, "the response body is too large"));
        assert_eq!(gateway.get("/2048").body.len(), 2050);
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_before_anything_is_read() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, r#"request = "whole""#);
        let mut connection = gateway.connect();
        connection.write("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1048577\r\n\r\n");
        assert_eq!(connection.head().status(), Some(413));
    }

    #[test]
    fn messages_without_a_body_are_only_shown_if_they_are_held() {
        let upstream = Upstream::with(|call| {
            let status = call.request.path.trim_start_matches('/').parse().unwrap_or(200);
            call.answer(&Answer::status(status).field("x-asked", &call.request.fields.all("x-length").join("")))
        });
        let gateway = treating(&upstream, r#"request = "whole", response = "whole""#);
        for (path, status) in [("/200", 200), ("/204", 204), ("/304", 304)] {
            let response = gateway.get(path);
            assert_eq!(
                (response.status, response.field("x-length"), response.field("x-asked")),
                (status, None, Some(""))
            );
        }
        let gateway = treating(&upstream, r#"request = "whole-held", response = "whole-held""#);
        let mut connection = gateway.connect();
        for (path, status, text) in [("/200", 200, "<>"), ("/204", 204, ""), ("/304", 304, "")] {
            let response = connection.request(Request::get(path));
            assert_eq!((response.status, response.text().as_str()), (status, text));
            assert_eq!((response.field("x-length"), response.field("x-asked")), (Some("0"), Some("0")));
        }
        assert_eq!(connection.request(Request::new("HEAD", "/200")).field("x-length"), Some("0"));
        assert_eq!(connection.request(Request::get("/200")).text(), "<>", "the connection is in step");
    }

    #[test]
    fn a_body_that_breaks_off_is_not_shown() {
        let upstream = Upstream::answering(Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").close());
        let gateway = treating(&upstream, r#"response = "whole""#);
        let response = gateway.get("/");
        assert_eq!((response.status, response.problem().as_str()), (502, "the response body ended early"));
    }

    #[test]
    fn one_filter_sees_the_whole_and_the_next_its_pieces() {
        let upstream = Upstream::start();
        let gateway = TestGateway::new().upstream(&upstream).module("body", guest("body")).workers(1);
        let gateway = ["upper", "whole", "wrap"].iter().zip(1..).fold(gateway, |gateway, (treatment, number)| {
            let policy = format!("filter = \"body\"\nconfig = {{ request = {treatment:?} }}");
            gateway.policy(&format!("{number}0-body"), &policy)
        });
        let echo = gateway.start().send(Request::post("/", "").chunks(["con", "tent"])).echo();
        assert_eq!((echo.body.as_str(), echo.field("x-length")), ("<<CONTENT>>", Some("7")));
    }
}

mod ends {
    use super::*;

    #[test]
    fn a_response_ends_with_the_piece_that_the_filter_says() {
        let gate = Gate::new();
        let answer = Answer::status(200).chunk("first").wait(&gate).chunk("rest").trailer("x-keep", "lost");
        let upstream = Upstream::answering(answer);
        let gateway = treating(&upstream, r#"response = "end-first""#);
        let mut connection = gateway.connect();
        for _ in 0..2 {
            // Nobody has opened the gate: the rest is not waited for.
            let response = connection.request(Request::get("/").field("te", "trailers"));
            assert!(response.complete);
            assert_eq!((response.text().as_str(), response.trailers.get("x-keep")), ("<first>", Some("again")));
            assert_eq!(response.trailers.get("x-names"), Some(""), "the trailers of the rest are lost");
        }
        assert_eq!(upstream.connections(), 2, "a connection with a rest is not used again");
        gate.open();
    }

    #[test]
    fn a_request_ends_with_the_piece_that_the_filter_says() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, r#"request = "end-first""#);
        let mut connection = gateway.connect();
        connection.send(&Request::post("/", "").chunks([]));
        connection.write_chunk("first");
        let echo = connection.response().echo();
        assert_eq!((echo.body.as_str(), echo.trailers.get("x-keep")), ("<first>", Some("again")));
    }

    #[test]
    fn it_is_framed_for_http2_too() {
        let upstream = Upstream::answering(Answer::ok(vec![b'x'; MIB]));
        let gateway = treating(&upstream, r#"response = "end-first""#);
        let url = format!("http://{}/", gateway.address());
        let response = curl(&["--http2-prior-knowledge", &url]).expect("the response is whole");
        assert!(response.body.starts_with(b"<x") && response.body.ends_with(b"x>"), "{} bytes", response.body.len());
        assert!(response.body.len() <= (64 << 10) + 2);
        assert_eq!(response.trailers.get("x-keep"), Some("again"));
    }
}

mod cuts {
    use super::*;

    #[test]
    fn a_response_under_way_breaks_off() {
        let upstream = Upstream::answering(Answer::ok("content"));
        let gateway = treating(&upstream, r#"response = "abort-first""#);
        let mut connection = gateway.connect();
        connection.send(&Request::get("/"));
        assert_eq!(connection.head().fields.get("transfer-encoding"), Some("chunked"));
        assert_eq!(connection.chunk(), None, "no last chunk");
        assert_eq!(faults(&gateway), 0.0);
    }

    #[test]
    fn a_response_under_way_is_reset_over_http2() {
        let upstream = Upstream::answering(Answer::ok("content"));
        let gateway = treating(&upstream, r#"response = "abort-first""#);
        let mut client = Http2::open(gateway.address(), &[]);
        client.get(1, "/");
        assert_eq!(client.next_of(kind::HEADERS).status(), 200);
        assert_eq!(client.next_of(kind::RST_STREAM).stream, 1);
    }

    #[test]
    fn before_a_head_has_gone_there_is_no_answer_at_all() {
        let upstream = Upstream::answering(Answer::ok("content"));
        for (config, request) in [
            (r#"response = "abort-held""#, Request::get("/")),
            (r#"request = "abort-held""#, Request::post("/", "content")),
            (r#"request = "abort-first""#, Request::post("/", "content")),
        ] {
            let gateway = treating(&upstream, config);
            let mut connection = gateway.connect();
            connection.send(&request);
            assert_eq!(connection.some(), b"", "{config}");
            let mut client = Http2::open(gateway.address(), &[]);
            let method = if config.starts_with("request") { "POST" } else { "GET" };
            client.request(1, &tollgate_tests::http2::request(method, "/", "a.test"), method == "GET");
            if method == "POST" {
                client.send(kind::DATA, tollgate_tests::http2::flag::END_STREAM, 1, b"content");
            }
            let first = std::iter::from_fn(|| client.next_frame()).find(|frame| frame.stream == 1);
            let first = first.map(|frame| frame.kind);
            assert_eq!(first, Some(kind::RST_STREAM), "{config}");
            assert_eq!(faults(&gateway), 0.0);
        }
    }

    #[test]
    fn a_request_that_is_cut_is_whole_for_nobody() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, r#"request = "abort-in-trailers""#);
        let mut connection = gateway.connect();
        connection.send(&Request::post("/", "content"));
        assert_eq!(connection.some(), b"");
        assert!(upstream.requests().iter().all(|request| !request.complete), "{:?}", upstream.requests());
    }
}

mod trailers {
    use super::*;

    #[test]
    fn a_request_without_trailers_gets_some() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, r#"request = "trailers""#);
        for request in [Request::post("/", "content"), Request::post("/", "").chunks(["content"])] {
            let echo = gateway.send(request).echo();
            assert_eq!((echo.body.as_str(), echo.trailers.get("x-keep")), ("content", Some("again")));
        }
        let echo = gateway.get("/").echo();
        assert_eq!(
            (echo.trailers.get("x-keep"), echo.field("transfer-encoding")),
            (None, None),
            "no body, no trailers"
        );
    }

    #[test]
    fn a_response_without_trailers_gets_some() {
        let upstream = Upstream::answering(Answer::ok("content"));
        let gateway = treating(&upstream, r#"response = "trailers""#);
        let response = gateway.send(Request::get("/").field("te", "trailers"));
        assert_eq!((response.text().as_str(), response.trailers.get("x-keep")), ("content", Some("again")));
        let response = gateway.get("/");
        assert_eq!((response.text().as_str(), response.trailers.get("x-keep")), ("content", None), "nobody takes them");
        let url = format!("http://{}/", gateway.address());
        let response = curl(&["--http2-prior-knowledge", &url]).expect("the response is whole");
        assert_eq!((response.text().as_str(), response.trailers.get("x-keep")), ("content", Some("again")));
    }

    #[test]
    fn a_filter_can_reply_once_it_has_seen_them() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, r#"request = "reply-in-trailers""#);
        let response = gateway.send(Request::post("/", "").chunks(["content"]).trailer("x-sum", "1"));
        assert_eq!((response.status, response.text().as_str()), (422, "in trailers"));
        assert!(upstream.requests().iter().all(|request| !request.complete), "a request has got through");
        let gateway = treating(&upstream, r#"response = "reply-in-trailers-held""#);
        let response = gateway.get("/");
        assert_eq!((response.status, response.text().as_str(), faults(&gateway)), (422, "in trailers", 0.0));
    }

    #[test]
    fn a_reply_in_the_trailers_of_a_response_whose_head_has_gone_is_a_fault() {
        let upstream = Upstream::answering(Answer::ok("content"));
        let gateway = treating(&upstream, r#"response = "reply-in-trailers""#);
        let mut connection = gateway.connect();
        connection.send(&Request::get("/"));
        assert_eq!(connection.head().status(), Some(200));
        while let Some(Chunk::Data(_)) = connection.chunk() {}
        assert_eq!(faults(&gateway), 1.0);
    }
}

mod pieces {
    use super::*;

    #[test]
    fn a_message_without_a_body_gets_one() {
        let upstream = Upstream::with(|call| {
            let status = call.request.path.trim_start_matches('/').parse().unwrap_or(200);
            let asked = String::from_utf8(call.read_body()?.body).unwrap_or_default();
            call.answer(&Answer::status(status).field("x-asked", &asked))
        });
        let gateway = treating(&upstream, r#"request = "give", response = "give""#);
        let mut connection = gateway.connect();
        for (path, text) in [("/200", "given"), ("/204", ""), ("/304", ""), ("/404", "given")] {
            let response = connection.request(Request::get(path));
            assert_eq!((response.text().as_str(), response.field("x-asked")), (text, Some("given")), "{path}");
        }
        let url = format!("http://{}/204", gateway.address());
        let response = curl(&["--http2-prior-knowledge", &url]).expect("the response is whole");
        assert_eq!((response.status, response.body.len()), (204, 0));
    }

    #[test]
    fn what_takes_a_pieces_place_is_bounded() {
        let upstream = Upstream::start();
        let gateway = with_limits(&upstream, r#"request = "flood""#, "body = \"4KiB\", cpu = \"10s\"");
        assert_eq!((gateway.send(Request::post("/", "content")).status, faults(&gateway)), (503, 1.0));
        let gateway = treating(&upstream, r#"request = "flood""#);
        assert_eq!(gateway.send(Request::post("/", "content")).echo().body.len(), MIB + 1);
    }

    #[test]
    fn a_piece_passes_three_filters_before_the_next_one_is_there() {
        let gate = Gate::new();
        let opened = gate.clone();
        let upstream = Upstream::with(move |call| {
            let Chunk::Data(piece) = call.read_chunk()? else { return Ok(false) };
            call.answer(&Answer::status(200).chunk(piece).wait(&opened).chunk("second"))?;
            Ok(false)
        });
        let gateway = TestGateway::new().upstream(&upstream).module("body", guest("body")).workers(1);
        let gateway = ["upper", "wrap", "wrap"].iter().zip(1..).fold(gateway, |gateway, (treatment, number)| {
            let policy = format!("filter = \"body\"\nconfig = {{ request = {treatment:?}, response = {treatment:?} }}");
            gateway.policy(&format!("{number}0-body"), &policy)
        });
        let gateway = gateway.start();
        let mut connection = gateway.connect();
        connection.send(&Request::post("/", "").chunks([]));
        connection.write_chunk("first");
        assert_eq!(connection.head().status(), Some(200));
        assert_eq!(connection.chunk(), Some(Chunk::Data(b"<<<<FIRST>>>>".to_vec())));
        gate.open();
        assert_eq!(connection.chunk(), Some(Chunk::Data(b"<<SECOND>>".to_vec())));
    }
}
