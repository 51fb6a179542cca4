//! The head of a request, from bytes that have been found to be one (RFC 9112, sections 2 to 5).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header, request};
use memchr::memchr;

use crate::framing::{has_option, trim};

/// What a request says about the connection and about its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whether the response has no content.
    pub is_head: bool,
    /// Whether the client speaks HTTP/1.0.
    pub is_http_10: bool,
    /// Whether the connection is to end with the response (RFC 9112, section 9.3).
    pub closes: bool,
    /// Whether trailers are welcome (RFC 9110, section 10.1.4).
    pub takes_trailers: bool,
    /// Whether the content comes once the client has been told to go on (RFC 9110, section 10.1.1).
    pub expects_continue: bool,
}

impl Terms {
    /// Of something that is no request, and whose connection ends with the answer.
    pub(super) const LAST: Self =
        Self { is_head: false, is_http_10: false, closes: true, takes_trailers: false, expects_continue: false };

    fn of(method: &Method, version: Version) -> Self {
        let is_http_10 = version == Version::HTTP_10;
        Self {
            is_head: *method == Method::HEAD,
            is_http_10,
            closes: is_http_10,
            takes_trailers: false,
            expects_continue: false,
        }
    }

    /// Takes a field into account, if it says anything about this.
    fn field(&mut self, name: &HeaderName, value: &[u8]) {
        if *name == header::CONNECTION {
            match self.is_http_10 {
                true => self.closes &= !has_option(value, "keep-alive"),
                false => self.closes |= has_option(value, "close"),
            }
        } else if *name == header::TE {
            self.takes_trailers |= has_option(value, "trailers");
        } else if *name == header::EXPECT {
            self.expects_continue |= !self.is_http_10 && has_option(value, "100-continue");
        }
    }
}

/// Reads a head that the tracker has approved into `parts`, which is blank: it stays where it is, as every move would be a copy.
/// Nothing if it is not one to `http` all the same.
#[must_use]
pub fn parse(head: &Bytes, parts: &mut request::Parts) -> Option<Terms> {
    let mut rest: &[u8] = head.strip_prefix(b"\r\n").unwrap_or(head);
    request_line(head, next_line(&mut rest)?, parts)?;
    let fields = count_lines(rest) + SPARE;
    if parts.headers.capacity() < fields {
        parts.headers = HeaderMap::with_capacity(fields);
    }
    let mut terms = Terms::of(&parts.method, parts.version);
    loop {
        let line = next_line(&mut rest)?;
        if line.is_empty() {
            return Some(terms);
        }
        let colon = memchr(b':', line)?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = trim(&line[colon + 1..]);
        terms.field(&name, value);
        parts.headers.try_append(name, HeaderValue::from_maybe_shared(head.slice_ref(value)).ok()?).ok()?;
    }
}

/// Room for fields that are added on the way.
const SPARE: usize = 4;

fn request_line(head: &Bytes, line: &[u8], parts: &mut request::Parts) -> Option<()> {
    let space = memchr(b' ', line)?;
    let (method, rest) = (&line[..space], &line[space + 1..]);
    let space = memchr(b' ', rest)?;
    parts.method = Method::from_bytes(method).ok()?;
    parts.uri = Uri::from_maybe_shared(head.slice_ref(&rest[..space])).ok()?;
    parts.version = match &rest[space + 1..] {
        b"HTTP/1.0" => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    Some(())
}

fn next_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = memchr(b'\n', rest)?;
    let line = rest[..end].strip_suffix(b"\r")?;
    *rest = &rest[end + 1..];
    Some(line)
}

fn count_lines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::blank_request;

    fn read(text: &'static str) -> (request::Parts, Terms) {
        let mut parts = blank_request();
        let terms = parse(&Bytes::from_static(text.as_bytes()), &mut parts).unwrap();
        (parts, terms)
    }

    #[test]
    fn lines_become_fields_in_their_order() {
        let (head, _) = read("\r\nPUT /a?b HTTP/1.1\r\nHost: a\r\nX-One:  1 \t\r\nx-one:2\r\nEmpty:\r\n\r\n");
        assert_eq!((head.method, head.uri.to_string(), head.version), (Method::PUT, "/a?b".into(), Version::HTTP_11));
        assert_eq!(head.headers.get_all("x-one").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((head.headers.len(), &head.headers["empty"]), (4, &HeaderValue::from_static("")));
    }

    #[test]
    fn what_is_no_head_is_nothing() {
        for text in ["", "GET / HTTP/1.1\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nname\r\n\r\n"] {
            assert!(parse(&Bytes::from_static(text.as_bytes()), &mut blank_request()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn the_connection_lasts_as_the_request_says() {
        let closes = |text| read(text).1.closes;
        assert!(!closes("GET / HTTP/1.1\r\n\r\n"));
        assert!(closes("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n"));
        assert!(closes("GET / HTTP/1.0\r\n\r\n"));
        assert!(!closes("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n"));
    }
}
