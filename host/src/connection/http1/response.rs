//! The head of a response on its way to the client (RFC 9112, sections 4 and 6).

use std::cell::RefCell;
use std::time::SystemTime;

use http::{HeaderName, StatusCode, header, response};
use http_body::Body as HttpBody;
use hyper::ext::ReasonPhrase;

use super::head::Terms;
use crate::wire::{Coding, encode_field, encode_length};

/// Fields that the connection writes itself.
const OWN: [HeaderName; 3] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];

/// How the response's content goes out.
pub(super) fn coding(terms: Terms, status: StatusCode, body: &impl HttpBody) -> Coding {
    if terms.is_head || has_no_content(status) {
        return Coding::Complete;
    }
    match Coding::of(body) {
        Coding::Chunked if terms.is_http_10 => Coding::UntilClose,
        coding => coding,
    }
}

/// Responses that end with their head, whatever their fields say (RFC 9112, section 6.3).
fn has_no_content(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Writes the head. `content` is the length of content that does not go out; `last` says that the connection ends with the
/// response; `second` is the worker's clock.
#[allow(clippy::too_many_arguments, reason = "they are what a head says, and nothing else goes by these names")]
pub(super) fn encode(
    buffer: &mut Vec<u8>,
    head: &response::Parts,
    terms: Terms,
    coding: Coding,
    content: Option<u64>,
    last: bool,
    second: u32,
) {
    let version: &[u8] = if terms.is_http_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " };
    buffer.reserve(512);
    buffer.extend_from_slice(version);
    buffer.extend_from_slice(head.status.as_str().as_bytes());
    buffer.push(b' ');
    buffer.extend_from_slice(reason(head));
    buffer.extend_from_slice(b"\r\n");
    let switches = head.status == StatusCode::SWITCHING_PROTOCOLS;
    let mut has_date = false;
    for (name, value) in &head.headers {
        has_date |= *name == header::DATE;
        if !OWN.contains(name) || (switches && *name == header::CONNECTION) {
            encode_field(buffer, name, value);
        }
    }
    if !has_date {
        encode_date(buffer, second);
    }
    match coding {
        Coding::Length(length) => encode_length(buffer, length),
        Coding::Chunked => buffer.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Coding::UntilClose => {}
        Coding::Complete if switches || head.status == StatusCode::NO_CONTENT => {}
        // What the content would have been (RFC 9110, section 8.6).
        Coding::Complete if terms.is_head || head.status == StatusCode::NOT_MODIFIED => {
            match (head.headers.get(header::CONTENT_LENGTH), content) {
                (Some(length), _) => encode_field(buffer, &header::CONTENT_LENGTH, length),
                (None, Some(length @ 1..)) => encode_length(buffer, length),
                _ => {}
            }
        }
        Coding::Complete => buffer.extend_from_slice(b"content-length: 0\r\n"),
    }
    if last && !switches {
        buffer.extend_from_slice(b"connection: close\r\n");
    } else if terms.is_http_10 {
        buffer.extend_from_slice(b"connection: keep-alive\r\n");
    }
    buffer.extend_from_slice(b"\r\n");
}

fn reason(head: &response::Parts) -> &[u8] {
    // Only what an upstream has sent has an unusual one.
    let own = if head.extensions.is_empty() { None } else { head.extensions.get::<ReasonPhrase>() };
    match own {
        Some(reason) => reason.as_bytes(),
        None => head.status.canonical_reason().unwrap_or_default().as_bytes(),
    }
}

/// The time of the response (RFC 9110, section 6.6.1), made once a second.
fn encode_date(buffer: &mut Vec<u8>, second: u32) {
    thread_local! {
        static NOW: RefCell<(Option<u32>, String)> = const { RefCell::new((None, String::new())) };
    }
    NOW.with_borrow_mut(|(made, line)| {
        if *made != Some(second) {
            *line = format!("date: {}\r\n", httpdate::fmt_http_date(SystemTime::now()));
            *made = Some(second);
        }
        buffer.extend_from_slice(line.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::message::Body;

    const TERMS: Terms =
        Terms { is_head: false, is_http_10: false, closes: false, takes_trailers: false, expects_continue: false };

    fn encoded(terms: Terms, status: u16, fields: &[(&'static str, &str)], body: &Body, last: bool) -> String {
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = StatusCode::from_u16(status).unwrap();
        head.headers.insert(header::DATE, "now".parse().unwrap());
        for (name, value) in fields {
            head.headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let mut buffer = Vec::new();
        let coding = coding(terms, head.status, body);
        encode(&mut buffer, &head, terms, coding, body.size_hint().exact(), last, 0);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn the_framing_is_the_connections_own() {
        let fields = [("content-length", "7"), ("transfer-encoding", "chunked"), ("a", "1"), ("a", "2")];
        let head = encoded(TERMS, 200, &fields, &Body::full("four"), false);
        assert_eq!(head, "HTTP/1.1 200 OK\r\ndate: now\r\na: 1\r\na: 2\r\ncontent-length: 4\r\n\r\n");
        let head = encoded(TERMS, 404, &[], &Body::Empty, true);
        assert_eq!(head, "HTTP/1.1 404 Not Found\r\ndate: now\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }

    #[test]
    fn heads_without_content_keep_the_length_that_is_meant() {
        let length = [("content-length", "7")];
        let head = encoded(Terms { is_head: true, ..TERMS }, 200, &length, &Body::Empty, false);
        assert!(head.ends_with("content-length: 7\r\n\r\n"), "{head}");
        let head = encoded(Terms { is_head: true, ..TERMS }, 200, &[], &Body::full("four"), false);
        assert!(head.ends_with("content-length: 4\r\n\r\n"), "{head}");
        assert!(encoded(TERMS, 304, &length, &Body::Empty, false).ends_with("content-length: 7\r\n\r\n"));
        assert!(!encoded(TERMS, 204, &length, &Body::Empty, false).contains("content-length"));
    }

    #[test]
    fn old_clients_are_told_that_the_connection_stays() {
        let terms = Terms { is_http_10: true, ..TERMS };
        let head = encoded(terms, 200, &[], &Body::full("four"), false);
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && head.ends_with("connection: keep-alive\r\n\r\n"), "{head}");
    }

    #[test]
    fn a_switch_keeps_the_field_that_names_it() {
        let head = encoded(TERMS, 101, &[("connection", "upgrade"), ("upgrade", "x")], &Body::Empty, true);
        let said = "HTTP/1.1 101 Switching Protocols\r\ndate: now\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
        assert_eq!(head, said);
    }
}
