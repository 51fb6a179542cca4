//! The head of a response, and how its content is framed (RFC 9112, sections 4, 5 and 6).

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header, response};
use hyper::ext::ReasonPhrase;
use memchr::memchr_iter;

use super::BadResponse;
use crate::framing::{self, has_option};
use crate::wire::{HeadLimits, Length};

/// What the head says about what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    /// How the content ends.
    pub length: Length,
    /// Whether the connection can serve another request after the content.
    pub persistent: bool,
}

/// Finds the end of a head in what has come so far; looks at each byte once.
pub struct HeadReader {
    limits: HeadLimits,
    scanned: usize,
    line: usize,
    interim: u8,
}

/// How many interim responses (1xx) a request may have.
const MAX_INTERIM: u8 = 16;

impl HeadReader {
    /// Of a new connection.
    #[must_use]
    pub fn new(limits: HeadLimits) -> Self {
        Self { limits, scanned: 0, line: 0, interim: 0 }
    }

    /// Another response is to come.
    pub fn begin(&mut self) {
        (self.scanned, self.line, self.interim) = (0, 0, 0);
    }

    /// The head of the final response, once it is whole. Interim responses are passed over, except a switch of protocols.
    ///
    /// # Errors
    /// If it could be read in two ways, or in none.
    pub fn take(
        &mut self,
        received: &mut BytesMut,
        method: &Method,
    ) -> Result<Option<(response::Parts, Framing)>, BadResponse> {
        while let Some(end) = self.end(received)? {
            let head = received.split_to(end).freeze();
            (self.scanned, self.line) = (0, 0);
            let head = parse(&head, self.limits.fields)?;
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                let framing = framing(&head, method)?;
                return Ok(Some((head, framing)));
            }
            check_content(&head, length(&head)?)?;
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(BadResponse("too many interim responses"));
            }
        }
        Ok(None)
    }

    fn end(&mut self, received: &[u8]) -> Result<Option<usize>, BadResponse> {
        let from = self.scanned;
        for feed in memchr_iter(b'\n', &received[from..]).map(|offset| from + offset) {
            if feed == 0 || received[feed - 1] != b'\r' {
                return Err(BadResponse("a line ends without a carriage return"));
            }
            if feed - 1 == self.line {
                return if feed < self.limits.bytes { Ok(Some(feed + 1)) } else { Err(TOO_LARGE) };
            }
            self.line = feed + 1;
        }
        self.scanned = received.len();
        if received.len() > self.limits.bytes { Err(TOO_LARGE) } else { Ok(None) }
    }
}

const TOO_LARGE: BadResponse = BadResponse("the head is too large");

/// More fields than that are parsed into memory of their own.
const USUAL_FIELDS: usize = 100;

fn parse(head: &Bytes, max_fields: usize) -> Result<response::Parts, BadResponse> {
    if max_fields <= USUAL_FIELDS {
        parse_into(head, &mut [const { MaybeUninit::uninit() }; USUAL_FIELDS][..max_fields])
    } else {
        let mut fields = Vec::new();
        fields.resize_with(max_fields, MaybeUninit::uninit);
        parse_into(head, &mut fields)
    }
}

fn parse_into<'a>(
    head: &'a Bytes,
    fields: &mut [MaybeUninit<httparse::Header<'a>>],
) -> Result<response::Parts, BadResponse> {
    let mut parsed = httparse::Response::new(&mut []);
    let status = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, head, fields);
    match status {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(BadResponse("the head has too many fields")),
        _ => return Err(BadResponse("the head is malformed")),
    }
    let code = parsed
        .code
        .filter(|code| *code < 600)
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or(BadResponse("the status is none"))?;
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = code;
    parts.version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers = HeaderMap::with_capacity(parsed.headers.len() + 2);
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| BadResponse("a field has no name"))?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value));
        parts.headers.append(name, value.map_err(|_| BadResponse("a field's value has a control character"))?);
    }
    keep_reason(&mut parts, parsed.reason.unwrap_or_default());
    Ok(parts)
}

/// A reason that is not the usual one is passed on.
fn keep_reason(parts: &mut response::Parts, reason: &str) {
    if !reason.is_empty()
        && parts.status.canonical_reason() != Some(reason)
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        parts.extensions.insert(reason);
    }
}

/// How the content of a response is framed (RFC 9112, section 6.3). More than one way is none.
fn framing(head: &response::Parts, method: &Method) -> Result<Framing, BadResponse> {
    let length = length(head)?;
    check_content(head, length)?;
    let without_content = *method == Method::HEAD
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::SWITCHING_PROTOCOLS);
    let length = if without_content { Length::Known(0) } else { length };
    let persistent = length != Length::UntilClose && is_persistent(head);
    Ok(Framing { length, persistent })
}

/// Where there can be no content, nothing may announce any (RFC 9110, section 8.6); many servers tell a length of zero.
fn check_content(head: &response::Parts, length: Length) -> Result<(), BadResponse> {
    let has_none = head.status.is_informational() || head.status == StatusCode::NO_CONTENT;
    match length {
        Length::Known(1..) | Length::Chunked if has_none => Err(BadResponse("content where there can be none")),
        _ => Ok(()),
    }
}

fn length(head: &response::Parts) -> Result<Length, BadResponse> {
    let mut codings = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut lengths = head.headers.get_all(header::CONTENT_LENGTH).iter();
    match (codings.next(), codings.next(), lengths.next(), lengths.next()) {
        (None, None, None, None) => Ok(Length::UntilClose),
        (None, None, Some(length), None) => {
            framing::number(length.as_bytes()).map(Length::Known).ok_or(BadResponse("the content length is no number"))
        }
        (Some(coding), None, None, None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => match head.version {
            Version::HTTP_10 => Err(BadResponse("a transfer coding in HTTP/1.0")),
            _ => Ok(Length::Chunked),
        },
        (Some(_), _, None, None) => Err(BadResponse("a transfer coding other than chunked")),
        (None, None, Some(_), Some(_)) => Err(BadResponse("more than one content length")),
        _ => Err(BadResponse("both a content length and a transfer coding")),
    }
}

/// Whether the upstream keeps the connection (RFC 9112, section 9.3).
fn is_persistent(head: &response::Parts) -> bool {
    let mut options = head.headers.get_all(header::CONNECTION).iter().map(HeaderValue::as_bytes);
    match head.version {
        Version::HTTP_10 => options.any(|options| has_option(options, "keep-alive")),
        _ => !options.any(|options| has_option(options, "close")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { fields: 4, bytes: 256 };

    fn take(text: &str) -> Result<Option<(response::Parts, Framing)>, BadResponse> {
        HeadReader::new(LIMITS).take(&mut BytesMut::from(text), &Method::GET)
    }

    fn framing_of(fields: &str) -> Result<(Length, bool), &'static str> {
        let taken = take(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).map_err(|bad| bad.0)?;
        let (_, framing) = taken.unwrap();
        Ok((framing.length, framing.persistent))
    }

    #[test]
    fn a_head_is_found_however_it_comes() {
        let text = b"HTTP/1.1 200 OK\r\na: 1\r\n\r\nrest";
        let mut reader = HeadReader::new(LIMITS);
        let mut received = BytesMut::new();
        for (index, byte) in text.iter().enumerate() {
            received.extend_from_slice(&[*byte]);
            let taken = reader.take(&mut received, &Method::GET).unwrap();
            assert_eq!(taken.is_some(), index == 24, "{index}");
            if let Some((head, _)) = taken {
                assert_eq!((head.status, &head.headers["a"]), (StatusCode::OK, &HeaderValue::from_static("1")));
                break;
            }
        }
    }

    #[test]
    fn content_is_framed_in_one_way() {
        assert_eq!(framing_of(""), Ok((Length::UntilClose, false)));
        assert_eq!(framing_of("content-length: 12\r\n"), Ok((Length::Known(12), true)));
        assert_eq!(framing_of("transfer-encoding: Chunked\r\n"), Ok((Length::Chunked, true)));
        assert_eq!(framing_of("content-length: 1\r\nconnection: x, Close\r\n"), Ok((Length::Known(1), false)));
        for ambiguous in [
            "content-length: 1\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 1\r\n",
            "content-length: 1\r\ncontent-length: 1\r\n",
            "content-length: 1, 1\r\n",
            "content-length: +1\r\n",
            "content-length: 18446744073709551616\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        ] {
            assert!(framing_of(ambiguous).is_err(), "{ambiguous:?}");
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for (text, reason) in [
            ("HTTP/1.1 200 OK\n\n", "carriage return"),
            ("HTTP/1.1 200 OK\r\na: 1\n\r\n", "carriage return"),
            ("HTTP/1.1 200 OK\r\na: 1\r\n folded\r\n\r\n", "malformed"),
            ("HTTP/1.1 200 OK\r\na : 1\r\n\r\n", "malformed"),
            ("HTTP/1.1 200 OK\r\na: \x01\r\n\r\n", "malformed"),
            ("HTTP/1.1 99 OK\r\n\r\n", "malformed"),
            ("HTTP/1.1 200 OK\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n\r\n", "too many fields"),
        ] {
            let bad = take(text).unwrap_err();
            assert!(bad.0.contains(reason), "{text:?}: {bad}");
        }
        assert_eq!(take(&format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(300))).unwrap_err(), TOO_LARGE);
    }

    #[test]
    fn interim_responses_are_passed_over() {
        let (head, _) = take("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 Gone Well\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.status, 204);
        assert_eq!(head.extensions.get::<ReasonPhrase>().unwrap().as_bytes(), b"Gone Well");
        assert!(take(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(17)).is_err());
    }
}
