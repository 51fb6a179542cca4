//! What goes out to an upstream of what came in: one request, framed in one way, which no field of a client can change.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Uri, Version, header, request};
use tollgate::exchange::proxy_headers::to_upstream;
use tollgate::framing::{Content, Limits, Tracker};
use tollgate::message::{Body, ClientInfo};
use tollgate::upstream::encode_request;
use tollgate::wire::Coding;

use super::requests::{Taken, take};

/// As for `requests`.
pub fn run(data: &[u8]) {
    let Some((_, bytes)) = data.split_first_chunk::<2>() else { return };
    let client = ClientInfo::new(([192, 0, 2, 7], 4711).into(), "story".into(), "http");
    for one in take(bytes, usize::MAX) {
        let chunked = one.fields.contains_key(header::TRANSFER_ENCODING);
        let mut head = head_of(&one);
        to_upstream(&mut head, &client);
        check(&head);
        let coding = if chunked { Coding::Chunked } else { coding(&one) };
        let mut sent = Vec::new();
        encode_request(&mut sent, &head, coding);
        check_sent(&sent, coding, &head);
    }
}

fn head_of(one: &Taken) -> request::Parts {
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = one.method.clone();
    head.uri = one.uri.parse().unwrap_or_else(|_| Uri::from_static("/"));
    head.version = one.version;
    head.headers = one.fields.clone();
    head
}

fn coding(one: &Taken) -> Coding {
    let length = one.fields.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match length {
        None | Some(0) => Coding::of(&Body::full(Bytes::new())),
        Some(length) => Coding::Length(length),
    }
}

/// Nothing of the connection is left, and the client is who has connected.
fn check(head: &request::Parts) {
    let fields = &head.headers;
    for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "expect"] {
        assert!(!fields.contains_key(name), "{name} goes on: {fields:?}");
    }
    assert!(fields.get_all(header::TE).iter().all(|value| value == "trailers"), "{fields:?}");
    assert_eq!(fields.get_all(header::HOST).iter().count(), 1, "{fields:?}");
    assert_eq!(fields.get_all("x-forwarded-for").iter().count(), 1, "{fields:?}");
    let last = fields["x-forwarded-for"].as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
    assert_eq!(last.trim_ascii(), b"192.0.2.7", "{fields:?}");
    assert_eq!(fields["x-forwarded-proto"], "http");
    assert!(head.uri.authority().is_none() && head.version == Version::HTTP_11);
}

/// A reader who takes nothing for granted finds one request in what is sent, with the fields that were meant.
fn check_sent(sent: &[u8], coding: Coding, head: &request::Parts) {
    let limits = Limits { fields: 200, bytes: 1 << 20, line: 1 << 20, field: 1 << 20, extensions: 0 };
    let mut tracker = Tracker::new(limits);
    // HTTP/1.0 may come without a host, which is not for the tracker to forgive.
    if head.headers[header::HOST].is_empty() {
        return;
    }
    let text = String::from_utf8_lossy(sent);
    let expected = match coding {
        Coding::Chunked => Content::Chunked,
        Coding::Length(length) => Content::Length(length),
        Coding::Complete | Coding::UntilClose => Content::Length(0),
    };
    assert_eq!(tracker.next_head(sent), Ok(Some((sent.len(), expected))), "{text}");
    let lines = text.matches("\r\n").count() - 2;
    let own: [HeaderName; 4] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::TE];
    let meant = head.headers.iter().filter(|(name, _)| !own.contains(name)).count();
    assert!((meant..=meant + 1).contains(&lines), "{text}: {:?}", HeaderMap::len(&head.headers));
}

/// The requests of the corpus, and fields that proxies write.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = super::messages("requests");
    seeds.extend(super::texts([
        "\0\x05GET http://a/b HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1, 2\r\nx-forwarded-for: 3\r\nForwarded: for=x\r\n\r\n",
        "\0\x05GET / HTTP/1.1\r\nHost: a\r\nConnection: x-forwarded-for, host, te, close\r\nTE: trailers\r\n\r\n",
        "\0\x05POST / HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    ]));
    seeds
}
