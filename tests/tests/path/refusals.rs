//! Requests that are not passed on.

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
