//! What hooks return.

use std::fmt;

use crate::bindings::tollgate::filter::types;
use crate::edits::field;

/// What a head hook returns: what becomes of the message, or a fault.
pub type Outcome = Result<Next, Fault>;

/// What a body hook returns: what becomes of the piece, or a fault.
pub type BodyOutcome = Result<Body, Fault>;

/// What a trailers hook returns: what becomes of the message, or a fault.
pub type TrailersOutcome = Result<Tail, Fault>;

/// What becomes of the message whose head the hook has seen.
#[derive(Debug)]
#[must_use]
pub enum Next {
    /// It goes on: to the next filter, the upstream or the client.
    Forward,
    /// Its head waits until the body hook of the same direction releases it. What is buffered meanwhile is bounded by
    /// the gateway.
    Hold,
    /// It ends here, and the client gets this reply; edits are not applied. From a response hook: the reply takes the
    /// response's place.
    Reply(Reply),
}

/// What becomes of one piece of a body.
#[derive(Debug)]
#[must_use]
pub enum Body {
    /// It goes on as it is; nothing is copied back.
    Pass,
    /// These bytes go on in its place, more or fewer than there were. Empty drops the piece.
    Replace(Vec<u8>),
    /// The exchange ends with this reply. Possible while the response's head has not gone; later it is a fault.
    Reply(Reply),
    /// These bytes go on in its place, and the body ends with them: whole, as whoever gets it sees it. The rest is not
    /// read.
    End(Vec<u8>),
    /// The exchange is cut, so that nobody takes the message for a whole one.
    Abort,
}

/// What becomes of a message whose trailers the hook has seen.
#[derive(Debug)]
#[must_use]
pub enum Tail {
    /// It goes on, with the trailers as they are now.
    Pass,
    /// The exchange ends with this reply. Possible while the response's head has not gone; later it is a fault.
    Reply(Reply),
    /// The exchange is cut, so that nobody takes the message for a whole one.
    Abort,
}

/// A part of a body, at most 64 KiB; or the whole of one that [`Interest::whole`](crate::Interest::whole) asked for.
#[derive(Debug)]
pub struct Piece {
    bytes: Vec<u8>,
    last: bool,
}

impl Piece {
    pub(crate) fn new(bytes: Vec<u8>, last: bool) -> Self {
        Self { bytes, last }
    }

    /// The piece's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The piece's bytes as a buffer that can be changed and given back with [`Body::Replace`].
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Whether the body ends with this piece.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.last
    }
}

/// A response made by the filter.
///
/// ```
/// use tollgate_filter::Reply;
///
/// let reply = Reply::problem(401, "Unauthorized")
///     .detail("The key is not known.")
///     .field("www-authenticate", "ApiKey");
/// let plain = Reply::new(200).field("content-type", "text/plain").body("pong");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<types::Field>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A reply without fields and content. The status is a final one, 200 to 599.
    pub fn new(status: u16) -> Self {
        Self { status, fields: Vec::new(), body: Vec::new() }
    }

    /// A reply that describes a problem as JSON (RFC 9457).
    pub fn problem(status: u16, title: &str) -> Self {
        let mut body = Vec::with_capacity(48 + title.len());
        body.extend_from_slice(b"{\"status\":");
        body.extend_from_slice(status.to_string().as_bytes());
        append_member(&mut body, "title", title);
        body.push(b'}');
        Self::new(status).field("content-type", "application/problem+json").body(body)
    }

    /// Adds the explanation to a [`problem`](Reply::problem); what the client can do about it.
    pub fn detail(mut self, detail: &str) -> Self {
        if self.body.pop_if(|last| *last == b'}').is_some() {
            append_member(&mut self.body, "detail", detail);
            self.body.push(b'}');
        }
        self
    }

    /// Appends a header field. The gateway adds `content-length` itself.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push(field(name, value.as_ref()));
        self
    }

    /// Sets the content.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

impl From<Reply> for Next {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<Reply> for Tail {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<Reply> for Body {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl From<Reply> for types::Reply {
    fn from(reply: Reply) -> Self {
        Self { status: reply.status, fields: reply.fields, body: reply.body }
    }
}

/// Appends `,"name":"text"` with the text escaped (RFC 8259, section 7).
fn append_member(json: &mut Vec<u8>, name: &str, text: &str) {
    json.extend_from_slice(b",\"");
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => json.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
                json.extend_from_slice(b"\\u00");
                json.extend_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
            }
            _ => json.push(byte),
        }
    }
    json.push(b'"');
}

/// Why a hook could not do its work: a message for the operator, never shown to the client.
///
/// Made from anything that can be displayed, so `?` works on any error, and `Err("no such list".into())` too.
pub struct Fault(String);

impl Fault {
    /// A fault with this message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_message(self) -> String {
        self.0
    }
}

// `Fault` itself must not be `Display`, or this would collide with `impl From<T> for T`.
impl<E: fmt::Display> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_json_with_its_text_escaped() {
        let reply = Reply::problem(403, "No \"entry\"").detail("a\\b\n");
        let json: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(json, serde_json::json!({ "status": 403, "title": "No \"entry\"", "detail": "a\\b\n" }));
        assert_eq!(reply.fields[0].value, b"application/problem+json");
    }

    #[test]
    fn any_error_becomes_a_fault() {
        let parse = || -> Result<u8, Fault> { Ok("x".parse::<u8>()?) };
        assert_eq!(parse().unwrap_err().message(), "invalid digit found in string");
    }
}
