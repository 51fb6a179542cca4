//! What of a message arrives at the other end.

use super::*;

#[test]
fn method_path_fields_and_body_go_through() {
    let upstream = Upstream::start();
    let gateway = before(&upstream);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
        let request = Request::new(method, "/a%20b/?q=%C3%A4&q=2").field("x-own", "1").field("X-Own", "2").body("text");
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
    let answer =
        Answer::status(418).field("set-cookie", "a=1").field("set-cookie", "b=2").field("x-raw", "\u{e4}").body("tea");
    let upstream = Upstream::answering(answer);
    let response = before(&upstream).get("/");
    assert_eq!((response.status, response.text().as_str(), response.field("content-length")), (418, "tea", Some("3")));
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
