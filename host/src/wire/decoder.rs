//! The content of a message as it arrives (RFC 9112, sections 6 and 7).

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::HeadLimits;
use crate::framing;

/// The longest line that tells a chunk's size, with its extensions, in bytes.
const SIZE_LINE: usize = 1 << 10;

/// How content ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// After so many bytes.
    Known(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// What was received could be read in two ways, or in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(
    /// What is wrong with it.
    pub &'static str,
);

/// Takes the framing away from the content.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    limits: HeadLimits,
}

#[derive(Debug, PartialEq)]
enum State {
    Length(u64),
    UntilClose,
    /// The line with a chunk's size is to come.
    Size,
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    Trailers,
    Done,
}

impl Decoder {
    /// Of a message whose head has come.
    #[must_use]
    pub fn new(length: Length, trailers: HeadLimits) -> Self {
        let state = match length {
            Length::Known(0) => State::Done,
            Length::Known(length) => State::Length(length),
            Length::Chunked => State::Size,
            Length::UntilClose => State::UntilClose,
        };
        Self { state, limits: trailers }
    }

    /// Whether all of it has been taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// How much is to come, as far as that is known.
    #[must_use]
    pub fn size_hint(&self) -> SizeHint {
        match self.state {
            State::Length(left) => SizeHint::with_exact(left),
            State::Done => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }

    /// The content, if all of it has come and its length was known.
    pub fn take_whole(&mut self, received: &mut BytesMut) -> Option<Bytes> {
        match self.state {
            State::Done => Some(Bytes::new()),
            State::Length(length) if received.len() as u64 >= length => {
                self.state = State::Done;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                Some(received.split_to(length).freeze())
            }
            _ => None,
        }
    }

    /// The connection has ended; false if the content has not.
    pub fn end(&mut self) -> bool {
        if self.state == State::UntilClose {
            self.state = State::Done;
        }
        self.is_done()
    }

    /// What can be taken of what has come: content or trailers, or nothing yet.
    ///
    /// # Errors
    /// If it is not framed as it should be.
    pub fn take(&mut self, received: &mut BytesMut) -> Result<Option<Frame<Bytes>>, Malformed> {
        loop {
            match &mut self.state {
                State::Length(left) => {
                    let data = take_data(received, left);
                    if *left == 0 {
                        self.state = State::Done;
                    }
                    return Ok(data);
                }
                State::UntilClose => {
                    return Ok((!received.is_empty()).then(|| Frame::data(received.split().freeze())));
                }
                State::Size => match take_size(received)? {
                    Some(0) => self.state = State::Trailers,
                    Some(size) => self.state = State::Chunk(size),
                    None => return Ok(None),
                },
                State::Chunk(left) => {
                    let data = take_data(received, left);
                    if *left == 0 {
                        self.state = State::ChunkEnd;
                    }
                    return Ok(data);
                }
                State::ChunkEnd => match received.get(..2) {
                    Some(b"\r\n") => {
                        let _ = received.split_to(2);
                        self.state = State::Size;
                    }
                    Some(_) => return Err(Malformed("a chunk is longer than its size")),
                    None => return Ok(None),
                },
                State::Trailers => {
                    let Some(trailers) = take_trailers(received, self.limits)? else { return Ok(None) };
                    self.state = State::Done;
                    return Ok((!trailers.is_empty()).then(|| Frame::trailers(trailers)));
                }
                State::Done => return Ok(None),
            }
        }
    }
}

fn take_data(received: &mut BytesMut, left: &mut u64) -> Option<Frame<Bytes>> {
    let count = received.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= count as u64;
    (count > 0).then(|| Frame::data(received.split_to(count).freeze()))
}

/// The size of the next chunk (RFC 9112, section 7.1). Extensions are passed over.
fn take_size(received: &mut BytesMut) -> Result<Option<u64>, Malformed> {
    const BAD: Malformed = Malformed("a chunk's size is none");
    let Some(feed) = memchr::memchr(b'\n', &received[..received.len().min(SIZE_LINE)]) else {
        return if received.len() < SIZE_LINE { Ok(None) } else { Err(BAD) };
    };
    let line = received.split_to(feed + 1);
    let line = line.strip_suffix(b"\r\n").ok_or(BAD)?;
    framing::chunk_size(line).map(|(size, _)| Some(size)).map_err(|_| BAD)
}

/// The fields behind the last chunk, once they are whole.
fn take_trailers(received: &mut BytesMut, limits: HeadLimits) -> Result<Option<http::HeaderMap>, Malformed> {
    const BAD: Malformed = Malformed("the trailers are malformed");
    let mut line = 0;
    for feed in memchr::memchr_iter(b'\n', received) {
        if feed == 0 || received[feed - 1] != b'\r' {
            return Err(BAD);
        }
        if feed - 1 == line {
            let block = received.split_to(feed + 1).freeze();
            return parse_trailers(&block, limits.fields).map(Some).ok_or(BAD);
        }
        line = feed + 1;
    }
    if received.len() > limits.bytes { Err(BAD) } else { Ok(None) }
}

fn parse_trailers(block: &Bytes, max_fields: usize) -> Option<http::HeaderMap> {
    if block.len() == 2 {
        return Some(http::HeaderMap::new());
    }
    let mut fields = vec![httparse::EMPTY_HEADER; max_fields];
    let (_, fields) = match httparse::parse_headers(block, &mut fields) {
        Ok(httparse::Status::Complete(parsed)) => parsed,
        _ => return None,
    };
    let mut trailers = http::HeaderMap::with_capacity(fields.len());
    for field in fields {
        if !framing::may_be_trailer(field.name.as_bytes()) {
            return None;
        }
        let name = http::HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        trailers.append(name, http::HeaderValue::from_maybe_shared(block.slice_ref(field.value)).ok()?);
    }
    Some(trailers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str, step: usize) -> Result<(Vec<u8>, usize), Malformed> {
        let limits = HeadLimits { fields: 4, bytes: 256 };
        let (mut decoder, mut received) = (Decoder::new(Length::Chunked, limits), BytesMut::new());
        let (mut content, mut trailers) = (Vec::new(), 0);
        for piece in text.as_bytes().chunks(step) {
            received.extend_from_slice(piece);
            while let Some(frame) = decoder.take(&mut received)? {
                match frame.into_data() {
                    Ok(data) => content.extend_from_slice(&data),
                    Err(frame) => trailers = frame.into_trailers().unwrap().len(),
                }
            }
        }
        if decoder.is_done() && received.is_empty() { Ok((content, trailers)) } else { Err(Malformed("unfinished")) }
    }

    #[test]
    fn chunks_come_out_whole_however_they_are_cut() {
        let text = "3\r\nabc\r\n00A;x=\"y\" \r\n0123456789\r\n0\r\na: 1\r\nb: 2\r\n\r\n";
        for step in 1..text.len() {
            assert_eq!(decode(text, step), Ok((b"abc0123456789".to_vec(), 2)), "{step}");
        }
        assert_eq!(decode("0\r\n\r\n", 2), Ok((vec![], 0)));
    }

    #[test]
    fn chunks_that_are_not_framed_well_are_refused() {
        for text in [
            "3\nabc\r\n0\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "\r\nabc\r\n0\r\n\r\n",
            "3 x\r\nabc\r\n0\r\n\r\n",
            "-3\r\nabc\r\n0\r\n\r\n",
            "0x3\r\nabc\r\n0\r\n\r\n",
            "00000000000000003\r\nabc\r\n0\r\n\r\n",
            "0\r\na: 1\n\r\n",
            "0\r\na\r\n\r\n",
            "0\r\n a: 1\r\n\r\n",
        ] {
            for step in [1, 3, text.len()] {
                assert!(decode(text, step).is_err(), "{text:?}");
            }
        }
        assert!(decode(&format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(SIZE_LINE)), 64).is_err());
    }
}
