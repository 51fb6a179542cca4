//! What a message can do that makes it ambiguous, and what its sender is told.

use std::error::Error;
use std::io;

use http::StatusCode;

/// Why a message is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.detail())]
pub enum Violation {
    /// Not a method, a target and a version with one space between them.
    RequestLine,
    /// A version that is not 1.0 or 1.1.
    Version,
    /// A target in none of the four forms, or with characters that no URI has.
    Target,
    /// `CONNECT`, which is for forward proxies.
    Connect,
    /// No `Host`, or several.
    HostCount,
    /// A `Host` or an authority that is not a host and a port.
    HostSyntax,
    /// An absolute target with another authority than `Host`.
    HostConflict,
    /// A line that does not end in CRLF.
    LineEnd,
    /// A control character.
    Control,
    /// A field line without a name that is a token, directly followed by a colon.
    FieldName,
    /// A field value over several lines.
    Fold,
    /// A `Content-Length` that is not a number, or several.
    ContentLength,
    /// `Content-Length` beside `Transfer-Encoding`.
    TwoFramings,
    /// `Transfer-Encoding` of which `chunked` is not the last coding, or that HTTP/1.0 does not know.
    TransferEncoding,
    /// A transfer coding besides `chunked`.
    Coding,
    /// A chunk's size that is not a hexadecimal number, or too large.
    ChunkSize,
    /// A chunk extension that is too long or not one.
    ChunkExtension,
    /// A chunk longer or shorter than its size.
    ChunkEnd,
    /// A trailer field that would frame, route or authenticate the message.
    Trailer,
    /// A request line that is too long.
    LineSize,
    /// A field that is too large.
    FieldSize,
    /// Too many fields.
    FieldCount,
    /// A head that is too large.
    HeadSize,
}

impl Violation {
    /// How metrics name it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::RequestLine => "request-line",
            Self::Version => "version",
            Self::Target => "target",
            Self::Connect => "connect",
            Self::HostCount => "host-count",
            Self::HostSyntax => "host-syntax",
            Self::HostConflict => "host-conflict",
            Self::LineEnd => "line-end",
            Self::Control => "control-character",
            Self::FieldName => "field-name",
            Self::Fold => "folded-field",
            Self::ContentLength => "content-length",
            Self::TwoFramings => "two-framings",
            Self::TransferEncoding => "transfer-encoding",
            Self::Coding => "transfer-coding",
            Self::ChunkSize => "chunk-size",
            Self::ChunkExtension => "chunk-extension",
            Self::ChunkEnd => "chunk-end",
            Self::Trailer => "trailer",
            Self::LineSize => "line-size",
            Self::FieldSize => "field-size",
            Self::FieldCount => "field-count",
            Self::HeadSize => "head-size",
        }
    }

    /// What a client is answered.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Connect | Self::Coding => StatusCode::NOT_IMPLEMENTED,
            Self::LineSize => StatusCode::URI_TOO_LONG,
            Self::FieldSize | Self::FieldCount | Self::HeadSize => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// What is wrong, for whoever sent it.
    #[must_use]
    pub fn detail(self) -> &'static str {
        match self {
            Self::RequestLine => "a request line is a method, a target and a version with one space between them",
            Self::Version => "only HTTP/1.0 and HTTP/1.1 are served on this connection",
            Self::Target => "the request target is not valid",
            Self::Connect => "this method is not served",
            Self::HostCount | Self::HostSyntax => "a request has exactly one valid Host field",
            Self::HostConflict => "the authority of the target and the Host field differ",
            Self::LineEnd => "lines end in CRLF, and neither CR nor LF stands alone",
            Self::Control => "there are control characters in a field",
            Self::FieldName => "a field is a name, directly followed by a colon",
            Self::Fold => "a field is on one line",
            Self::ContentLength => "a message has at most one Content-Length, which is a number",
            Self::TwoFramings => "a message has either Content-Length or Transfer-Encoding",
            Self::TransferEncoding => "the only transfer coding is chunked, given once and in HTTP/1.1",
            Self::Coding => "transfer codings other than chunked are not supported",
            Self::ChunkSize => "a chunk's size is a hexadecimal number",
            Self::ChunkExtension => "a chunk extension is not valid or too long",
            Self::ChunkEnd => "a chunk is not as long as its size says",
            Self::Trailer => "a field is not allowed among the trailers",
            Self::LineSize => "the request line is too long",
            Self::FieldSize => "a field is too large",
            Self::FieldCount => "there are too many fields",
            Self::HeadSize => "the head is too large",
        }
    }
}

impl From<Violation> for io::Error {
    fn from(violation: Violation) -> Self {
        Self::new(io::ErrorKind::InvalidData, violation)
    }
}

/// The violation that an error comes from, if it does.
#[must_use]
pub fn violation_in(error: &(dyn Error + 'static)) -> Option<Violation> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(violation) = error.downcast_ref() {
            return Some(*violation);
        }
        // An `io::Error` does not name what it wraps as its source, but the source of that.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
