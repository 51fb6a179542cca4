//! Content: however it is cut the same comes out, and what the tracker approves of ends where the decoder ends.

use bytes::BytesMut;
use tollgate::framing::{Limits, Tracker};
use tollgate::wire::{Decoder, HeadLimits, Length};

const LIMITS: HeadLimits = HeadLimits { fields: 100, bytes: 32 << 10 };

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Two numbers that say how it is framed and cut, then content.
pub fn run(data: &[u8]) {
    let Some(([framing, every], bytes)) = data.split_first_chunk() else { return };
    let length = match framing % 4 {
        0 => Length::Known(u64::from(*every)),
        1 => Length::UntilClose,
        _ => Length::Chunked,
    };
    let whole = decode(length, bytes, usize::MAX);
    for every in [1, 3, usize::from(*every).max(1)] {
        let pieces = decode(length, bytes, every);
        assert_eq!(pieces.is_some(), whole.is_some(), "in pieces of {every}");
        assert!(whole.is_none() || pieces == whole, "in pieces of {every}");
    }
    if length == Length::Chunked {
        agree(bytes, whole);
    }
}

/// What comes out of content that is well-formed as far as it goes.
#[derive(PartialEq, Eq, Debug)]
struct Decoded {
    content: Vec<u8>,
    trailers: usize,
    done: bool,
    taken: usize,
}

fn decode(length: Length, bytes: &[u8], every: usize) -> Option<Decoded> {
    let (mut decoder, mut received) = (Decoder::new(length, LIMITS), BytesMut::new());
    let (mut content, mut trailers) = (Vec::new(), 0);
    for piece in bytes.chunks(every.min(bytes.len()).max(1)) {
        received.extend_from_slice(piece);
        while let Some(frame) = decoder.take(&mut received).ok()? {
            match frame.into_data() {
                Ok(data) => content.extend_from_slice(&data),
                Err(frame) => trailers += frame.trailers_ref().map_or(0, http::HeaderMap::len),
            }
        }
    }
    Some(Decoded { content, trailers, done: decoder.is_done(), taken: bytes.len() - received.len() })
}

/// What the tracker lets through, the decoder takes, to the same byte.
fn agree(bytes: &[u8], decoded: Option<Decoded>) {
    let mut tracker = Tracker::new(Limits::default());
    let message = [HEAD, bytes].concat();
    if !matches!(tracker.next_head(&message), Ok(Some((length, _))) if length == HEAD.len()) {
        panic!("the head is a good one");
    }
    let scan = tracker.content(bytes);
    if scan.violation.is_none() {
        let decoded = decoded.unwrap_or_else(|| panic!("the tracker has let through what is no content"));
        assert_eq!(decoded.done, !tracker.is_in_content());
        assert!(!decoded.done || decoded.taken == scan.approved, "{decoded:?} to {}", scan.approved);
    }
}

/// Content in chunks.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::texts([
        "\x02\x033\r\nabc\r\n00A;x=\"y\" \r\n0123456789\r\n0\r\na: 1\r\nb: 2\r\n\r\nGET /",
        "\x03\x050\r\n\r\n",
        "\0\x05hello, world",
        "\x01\x05hello, world",
    ])
}
