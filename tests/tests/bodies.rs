//! Stories of body hooks: what filters can do with the content of messages, in both directions.

#![allow(missing_docs, reason = "each story is named after what it tells")]

use tollgate_tests::{
    Answer, Chunk, Gate, Request, Response, RunningGateway, TestGateway, Upstream, eventually, guest,
};

/// A chain of filters that treat bodies, in the order of the request.
fn treating<const N: usize>(upstream: &Upstream, configs: [&str; N]) -> RunningGateway {
    let gateway = TestGateway::new().upstream(upstream).module("body", guest("body")).workers(1);
    let policies = (1..).zip(configs);
    let add = |gateway: TestGateway, (number, config): (u32, &str)| {
        let text = format!("filter = \"body\"\nlimits.cpu = \"10s\"\nconfig = {{ {config} }}");
        gateway.policy(&format!("{number}0-body"), &text)
    };
    policies.fold(gateway, add).start()
}

/// Both ways to send the content.
fn fixed_and_chunked(content: &str) -> [Request; 2] {
    let (first, second) = content.split_at(content.len() / 2);
    [Request::post("/", content), Request::post("/", "").chunks([first, second])]
}

/// Both ways to send the content.
fn fixed_and_chunked_answers(content: &str) -> [Upstream; 2] {
    let (first, second) = content.split_at(content.len() / 2);
    [Upstream::answering(Answer::ok(content)), Upstream::answering(Answer::status(200).chunk(first).chunk(second))]
}

#[track_caller]
fn faults(gateway: &RunningGateway, class: &str) -> f64 {
    gateway.metric(&format!("tollgate_filter_faults_total{{policy=\"10-body\",class={class:?}}}"))
}

fn parts(response: &Response) -> (u16, String) {
    (response.status, response.text())
}

const MIB: usize = 1 << 20;

mod request {
    use super::*;

    #[test]
    fn pieces_are_changed_as_they_pass() {
        let upstream = Upstream::start();
        for (treatment, expected) in
            [("upper", ["CONTENT", "CONTENT"]), ("wrap", ["<content>", "<con><tent>"]), ("shorten", ["c", "ct"])]
        {
            let gateway = treating(&upstream, [&format!("request = {treatment:?}")]);
            for (request, expected) in fixed_and_chunked("content").into_iter().zip(expected) {
                let echo = gateway.send(request).echo();
                assert_eq!(echo.body, expected, "{treatment}");
                assert_eq!((echo.field("content-length"), echo.field("transfer-encoding")), (None, Some("chunked")));
            }
        }
    }

    #[test]
    fn pieces_can_be_dropped() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "drop""#]);
        for request in fixed_and_chunked("content") {
            assert_eq!(gateway.send(request).echo().body, "");
        }
    }

    #[test]
    fn a_head_can_wait_for_the_end_of_its_body() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "measure""#]);
        for request in fixed_and_chunked("content") {
            let echo = gateway.send(request).echo();
            assert_eq!((echo.field("x-length"), echo.body.as_str()), (Some("7"), "content"));
        }
        let echo = gateway.get("/").echo();
        assert_eq!(
            (echo.field("x-length"), echo.body.as_str()),
            (Some("0"), ""),
            "a body that there is not has an end"
        );
    }

    #[test]
    fn a_body_can_be_replaced_as_a_whole() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "collect""#]);
        for request in fixed_and_chunked("content") {
            assert_eq!(gateway.send(request).echo().body, "whole:content");
        }
        let long = "x".repeat(MIB / 2);
        assert_eq!(gateway.send(Request::post("/", long.clone())).echo().body, format!("whole:{long}"));
    }

    #[test]
    fn what_a_filter_drops_does_not_count_as_held() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "keep-first""#]);
        let echo = gateway.send(Request::post("/", vec![b'x'; 4 * MIB])).echo();
        assert_eq!(echo.body.len(), 64 << 10);
    }

    #[test]
    fn more_than_may_be_held_is_too_large() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "measure""#]);
        let response = gateway.send(Request::post("/", vec![b'x'; MIB + 1]));
        assert_eq!((response.status, response.problem().as_str()), (413, "the request body is too large"));
        assert_eq!(upstream.requests().len(), 0);
        assert_eq!(gateway.send(Request::post("/", vec![b'x'; MIB])).status, 200);
    }

    #[test]
    fn a_held_head_goes_when_the_filter_lets_it_go() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "release-first""#]);
        let mut connection = gateway.connect();
        connection.send(&Request::post("/", "").chunks([]));
        connection.write_chunk("first");
        eventually("the head is with the upstream", || upstream.requests().len() == 1);
        assert_eq!(upstream.request().fields.get("x-first"), Some("first"));
        connection.write_chunk(" and last");
        connection.write_last_chunk();
        assert_eq!(connection.response().echo().body, "first and last");
    }

    #[test]
    fn a_filter_can_reply_once_it_has_seen_the_body() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "reply-at-end""#]);
        for request in fixed_and_chunked("content") {
            assert_eq!(parts(&gateway.send(request)), (422, "7 bytes".to_owned()));
        }
        assert_eq!((upstream.requests().len(), faults(&gateway, "answer")), (0, 0.0));
        assert_eq!(gateway.metric(r#"tollgate_filter_replies_total{policy="10-body"}"#), 2.0);
    }

    #[test]
    fn a_filter_need_not_wait_for_the_end_to_reply() {
        let upstream = Upstream::start();
        for treatment in ["reply-at-once", "reply-unheld"] {
            let gateway = treating(&upstream, [&format!("request = {treatment:?}")]);
            let mut connection = gateway.connect();
            connection.send(&Request::post("/", "").chunks([]));
            connection.write_chunk("the beginning");
            assert_eq!(parts(&connection.response()), (422, "at once".to_owned()), "{treatment}");
            assert_eq!(faults(&gateway, "answer"), 0.0);
        }
        assert!(upstream.requests().iter().all(|request| !request.complete), "a request has got through");
    }

    #[test]
    fn a_head_that_has_gone_cannot_be_edited() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "edit-unheld""#]);
        assert_eq!(gateway.send(Request::post("/", "content")).status, 503);
        assert_eq!(faults(&gateway, "answer"), 1.0);
    }

    #[test]
    fn a_body_that_breaks_off_lets_no_held_head_go() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "measure""#]);
        let mut connection = gateway.connect();
        connection.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf");
        connection.finish_writing();
        drop(connection);
        assert_eq!(gateway.get("/next").echo().path, "/next");
        assert!(upstream.requests().iter().all(|request| request.path == "/next"), "{:?}", upstream.requests());
    }

    #[test]
    fn pieces_are_of_64_kib_at_most() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "pieces""#]);
        let told = gateway.send(Request::post("/", vec![b'x'; 2 * MIB])).echo().body;
        let sizes: Vec<usize> = told.split('+').map(|size| size.parse().unwrap()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 2 * MIB);
        assert!(sizes.iter().all(|size| *size <= 64 << 10), "{sizes:?}");
        // The last one may be empty, no other is.
        assert!(sizes.iter().rev().skip(1).all(|size| *size > 0), "{sizes:?}");
    }

    #[test]
    fn a_body_hook_can_read_the_head_that_has_gone() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "describe""#]);
        let request = Request::post("/a?b", "content").field("x-probe", "probe");
        assert_eq!(gateway.send(request).echo().body, "content | /a?b probe");
    }

    #[test]
    fn trailers_can_be_edited() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "trailers""#]);
        let request = Request::post("/", "").chunks(["content"]).field("trailer", "x-keep, x-drop, x-names");
        let echo = gateway.send(request.trailer("x-keep", "1").trailer("x-drop", "2")).echo();
        assert_eq!((echo.body.as_str(), echo.trailers.all("x-keep")), ("content", vec!["1", "again"]));
        assert_eq!((echo.trailers.get("x-drop"), echo.trailers.get("x-names")), (None, Some("x-keep,x-drop")));
    }

    #[test]
    fn a_trailers_hook_cannot_edit_the_head() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "trailers-edit-head""#]);
        let request = Request::post("/", "").chunks(["content"]).field("trailer", "x-keep").trailer("x-keep", "1");
        assert_eq!((gateway.send(request).status, faults(&gateway, "reported")), (503, 1.0));
    }
}

mod response {
    use super::*;

    #[test]
    fn pieces_are_changed_as_they_pass() {
        for (treatment, expected) in
            [("upper", ["CONTENT", "CONTENT"]), ("wrap", ["<content>", "<con><tent>"]), ("shorten", ["c", "ct"])]
        {
            for (upstream, expected) in fixed_and_chunked_answers("content").iter().zip(expected) {
                let gateway = treating(upstream, [&format!("response = {treatment:?}")]);
                let response = gateway.get("/");
                assert_eq!(parts(&response), (200, expected.to_owned()), "{treatment}");
                let framing = (response.field("content-length"), response.field("transfer-encoding"));
                assert_eq!(framing, (None, Some("chunked")));
            }
        }
    }

    #[test]
    fn a_client_of_http_10_gets_the_changed_body_too() {
        let upstream = Upstream::answering(Answer::ok("content"));
        let gateway = treating(&upstream, [r#"response = "wrap""#]);
        let response = gateway.send(Request::get("/").http_10());
        assert_eq!((response.text().as_str(), response.field("transfer-encoding")), ("<content>", None));
    }

    #[test]
    fn many_pieces_that_came_at_once_go_on_in_their_order() {
        let content: String = (0..4 * MIB / 8).map(|number| format!("{number:08}")).collect();
        for upstream in fixed_and_chunked_answers(&content) {
            for (treatment, end) in [("append", "!"), ("upper", "")] {
                let gateway = treating(&upstream, [&format!("response = {treatment:?}, tag = \"!\"")]);
                let response = gateway.get("/").text();
                assert!(response == format!("{content}{end}"), "{treatment}: {} bytes", response.len());
            }
        }
    }

    #[test]
    fn pieces_can_be_dropped() {
        for upstream in fixed_and_chunked_answers("content") {
            let gateway = treating(&upstream, [r#"response = "drop""#]);
            assert_eq!(parts(&gateway.get("/")), (200, String::new()));
        }
    }

    #[test]
    fn a_head_can_wait_for_the_end_of_its_body() {
        for upstream in fixed_and_chunked_answers("content") {
            let gateway = treating(&upstream, [r#"response = "measure""#]);
            let response = gateway.get("/");
            assert_eq!((response.field("x-length"), response.text().as_str()), (Some("7"), "content"));
        }
    }

    #[test]
    fn a_response_without_content_can_be_held() {
        for status in [204, 304] {
            let upstream = Upstream::answering(Answer::status(status));
            let gateway = treating(&upstream, [r#"response = "measure""#]);
            let response = gateway.get("/");
            assert_eq!((response.status, response.field("x-length")), (status, Some("0")));
        }
    }

    #[test]
    fn the_answer_to_head_keeps_its_length_and_has_no_body() {
        let upstream = Upstream::answering(Answer::ok("content"));
        for treatment in ["upper", "measure", "collect"] {
            let gateway = treating(&upstream, [&format!("response = {treatment:?}")]);
            let mut connection = gateway.connect();
            let response = connection.request(Request::new("HEAD", "/"));
            assert_eq!((response.status, response.field("content-length")), (200, Some("7")), "{treatment}");
            assert_eq!(connection.request(Request::get("/next")).status, 200, "{treatment}");
        }
    }

    #[test]
    fn a_body_can_be_replaced_as_a_whole() {
        for upstream in fixed_and_chunked_answers("content") {
            let gateway = treating(&upstream, [r#"response = "collect""#]);
            assert_eq!(gateway.get("/").text(), "whole:content");
        }
    }

    #[test]
    fn what_a_filter_drops_does_not_count_as_held() {
        let upstream = Upstream::answering(Answer::ok(vec![b'x'; 4 * MIB]));
        let gateway = treating(&upstream, [r#"response = "keep-first""#]);
        let response = gateway.get("/");
        assert_eq!((response.status, response.body.len()), (200, 64 << 10));
    }

    #[test]
    fn more_than_may_be_held_is_a_bad_gateway() {
        let upstream = Upstream::answering(Answer::ok(vec![b'x'; MIB + 1]));
        let gateway = treating(&upstream, [r#"response = "measure""#]);
        let response = gateway.get("/");
        assert_eq!((response.status, response.problem().as_str()), (502, "the response body is too large"));
    }

    #[test]
    fn a_held_head_goes_when_the_filter_lets_it_go() {
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::status(200).chunk("first").wait(&gate).chunk(" and last"));
        let gateway = treating(&upstream, [r#"response = "release-first""#]);
        let mut connection = gateway.connect();
        connection.send(&Request::get("/"));
        assert_eq!(connection.head().fields.get("x-first"), Some("first"));
        assert_eq!(connection.chunk(), Some(Chunk::Data(b"first".to_vec())));
        gate.open();
        assert_eq!(connection.chunk(), Some(Chunk::Data(b" and last".to_vec())));
    }

    #[test]
    fn a_filter_can_reply_in_place_of_a_held_response() {
        for upstream in fixed_and_chunked_answers("content") {
            let gateway = treating(&upstream, [r#"response = "reply-at-end""#]);
            assert_eq!(parts(&gateway.get("/")), (422, "7 bytes".to_owned()));
        }
        let gate = Gate::new();
        let upstream = Upstream::answering(Answer::status(200).chunk("first").wait(&gate));
        let gateway = treating(&upstream, [r#"response = "reply-at-once""#]);
        assert_eq!(parts(&gateway.get("/")), (422, "at once".to_owned()));
        gate.open();
    }

    #[test]
    fn a_reply_in_place_of_a_head_that_has_gone_is_a_fault() {
        let upstream = Upstream::answering(Answer::ok("content"));
        let gateway = treating(&upstream, [r#"response = "reply-unheld""#]);
        let mut connection = gateway.connect();
        connection.send(&Request::get("/"));
        let mut came = Vec::new();
        while let more @ [_, ..] = &*connection.some() {
            came.extend_from_slice(more);
        }
        let came = String::from_utf8_lossy(&came);
        assert!(!came.contains("content\r\n") && !came.contains("at once") && !came.contains("0\r\n\r\n"), "{came}");
        assert_eq!(faults(&gateway, "answer"), 1.0);
    }

    #[test]
    fn an_edit_of_a_head_that_has_gone_is_a_fault() {
        let upstream = Upstream::answering(Answer::ok("content"));
        let gateway = TestGateway::new().upstream(&upstream).module("body", guest("body")).workers(1);
        let policy = "filter = \"body\"\non-fault = \"bypass\"\nconfig = { response = \"edit-unheld\" }";
        let gateway = gateway.policy("10-body", policy).start();
        let response = gateway.get("/");
        assert_eq!((response.text().as_str(), response.field("x-late")), ("content", None));
        assert_eq!(faults(&gateway, "answer"), 1.0);
    }

    #[test]
    fn a_body_that_breaks_off_lets_no_held_head_go() {
        let upstream = Upstream::answering(Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").close());
        let gateway = treating(&upstream, [r#"response = "measure""#]);
        let response = gateway.get("/");
        assert_eq!((response.status, response.problem().as_str()), (502, "the response body ended early"));
    }

    #[test]
    fn a_body_that_breaks_off_is_cut_for_the_client_too() {
        let answer = Answer::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        let gate = Gate::new();
        let upstream = Upstream::answering(answer.wait(&gate).close());
        let gateway = treating(&upstream, [r#"response = "upper""#]);
        let mut connection = gateway.connect();
        connection.send(&Request::get("/"));
        assert_eq!(connection.head().status(), Some(200));
        assert_eq!(connection.chunk(), Some(Chunk::Data(b"HALF".to_vec())));
        gate.open();
        assert_eq!(connection.chunk(), None);
    }

    #[test]
    fn a_body_hook_can_read_the_head_that_has_gone() {
        let upstream = Upstream::answering(Answer::status(201).field("x-probe", "probe").body("content"));
        let gateway = treating(&upstream, [r#"response = "describe""#]);
        assert_eq!(parts(&gateway.get("/")), (201, "content | 201 probe".to_owned()));
    }

    #[test]
    fn trailers_can_be_edited() {
        let answer = Answer::status(200).field("trailer", "x-keep, x-drop, x-names").chunk("content");
        let upstream = Upstream::answering(answer.trailer("x-keep", "1").trailer("x-drop", "2"));
        let gateway = treating(&upstream, [r#"response = "trailers""#]);
        let response = gateway.send(Request::get("/").field("te", "trailers"));
        assert_eq!((response.text().as_str(), response.trailers.all("x-keep")), ("content", vec!["1", "again"]));
        assert_eq!((response.trailers.get("x-drop"), response.trailers.get("x-names")), (None, Some("x-keep,x-drop")));
    }
}

mod chains {
    use super::*;

    const A: &str = r#"request = "append", response = "append", tag = "a""#;
    const B: &str = r#"request = "append", response = "append", tag = "b""#;

    #[test]
    fn requests_pass_the_filters_in_order_and_responses_in_reverse() {
        let upstream = Upstream::with(|call| {
            let body = call.read_body()?.body;
            call.answer(&Answer::ok([&*body, b"|"].concat()))
        });
        let gateway = treating(&upstream, [A, B]);
        for request in fixed_and_chunked("content") {
            assert_eq!(gateway.send(request).text(), "contentab|ba");
        }
    }

    #[test]
    fn a_filter_holds_what_an_earlier_one_has_changed() {
        let upstream = Upstream::start();
        let gateway = treating(&upstream, [r#"request = "wrap""#, r#"request = "measure""#, r#"request = "upper""#]);
        let echo = gateway.send(Request::post("/", "content")).echo();
        assert_eq!((echo.body.as_str(), echo.field("x-length")), ("<CONTENT>", Some("9")));
    }

    #[test]
    fn two_filters_can_hold_one_head() {
        let upstream = Upstream::start();
        let both = r#"request = "collect", response = "collect""#;
        let gateway = treating(&upstream, [both, both]);
        let response = gateway.send(Request::post("/", "content"));
        let text = response.text();
        let document = text.strip_prefix("whole:whole:").expect("both have seen the response");
        assert!(document.contains(r#""body":"whole:whole:content""#), "{document}");
    }

    #[test]
    fn a_reply_passes_the_body_hooks_of_the_filters_before_it() {
        let upstream = Upstream::start();
        let upper = r#"response = "upper""#;
        let gateway = treating(&upstream, [upper, r#"request = "reply-at-end""#, r#"response = "wrap""#]);
        assert_eq!(parts(&gateway.send(Request::post("/", "content"))), (422, "7 BYTES".to_owned()));
    }

    #[test]
    fn a_reply_that_takes_a_response_s_place_passes_the_filters_before_it() {
        let upstream = Upstream::answering(Answer::ok("content"));
        let gateway = treating(&upstream, [r#"response = "upper""#, r#"response = "reply-at-end""#]);
        assert_eq!(parts(&gateway.get("/")), (422, "7 BYTES".to_owned()));
    }

    #[test]
    fn long_bodies_stream_through_filters_in_both_directions() {
        let upstream = Upstream::with(|call| {
            let body = call.read_body()?.body;
            call.answer(&Answer::status(200).chunk(body))
        });
        let both = r#"request = "upper", response = "upper""#;
        let gateway = treating(&upstream, [both, both]);
        let mut connection = gateway.connect();
        for _ in 0..2 {
            let response = connection.request(Request::post("/", vec![b'x'; 8 * MIB]));
            assert!(response.complete && response.body == vec![b'X'; 8 * MIB]);
        }
    }
}
