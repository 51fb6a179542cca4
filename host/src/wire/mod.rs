//! HTTP/1.1 messages on a connection, either way (RFC 9112): content as it arrives, and a message as it goes out.

mod decoder;
mod outgoing;

pub use decoder::{Decoder, Length, Malformed};
pub use outgoing::Coding;
pub(crate) use outgoing::{Outgoing, SendError, encode_field, encode_fields, encode_length};

/// How large a head, or a trailer section, may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// How many fields it may have.
    pub fields: usize,
    /// How many bytes.
    pub bytes: usize,
}
