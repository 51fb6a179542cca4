//! The content of a response as it arrives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use super::head::{Framing, Length};
use super::outgoing::SendError;
use super::{Answer, BadResponse, Connection};
use crate::framing;
use crate::message::BodyError;
use crate::upstream::HeadLimits;

/// The longest line that tells a chunk's size, with its extensions, in bytes.
const SIZE_LINE: usize = 1 << 10;

/// Takes the framing away from the content.
#[derive(Debug)]
pub(super) struct Decoder {
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
    pub(super) fn new(framing: Framing) -> Self {
        let state = match framing.length {
            Length::Known(0) => State::Done,
            Length::Known(length) => State::Length(length),
            Length::Chunked => State::Size,
            Length::UntilClose => State::UntilClose,
        };
        Self { state, limits: framing.limits }
    }

    fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// What can be taken of what has come: content or trailers, or nothing yet.
    fn take(&mut self, received: &mut BytesMut) -> Result<Option<Frame<Bytes>>, BadResponse> {
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
                    return Ok(take_data(received, &mut u64::MAX.clone()));
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
                    Some(_) => return Err(BadResponse("a chunk is longer than its size")),
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
fn take_size(received: &mut BytesMut) -> Result<Option<u64>, BadResponse> {
    const BAD: BadResponse = BadResponse("a chunk's size is none");
    let Some(feed) = memchr::memchr(b'\n', &received[..received.len().min(SIZE_LINE)]) else {
        return if received.len() < SIZE_LINE { Ok(None) } else { Err(BAD) };
    };
    let line = received.split_to(feed + 1);
    let line = line.strip_suffix(b"\r\n").ok_or(BAD)?;
    framing::chunk_size(line).map(|(size, _)| Some(size)).map_err(|_| BAD)
}

/// The fields behind the last chunk, once they are whole.
fn take_trailers(received: &mut BytesMut, limits: HeadLimits) -> Result<Option<http::HeaderMap>, BadResponse> {
    const BAD: BadResponse = BadResponse("the trailers are malformed");
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

/// A connection while the content of a response comes on it, and while what is left of the request goes out.
pub(in crate::upstream) struct Conversation<S> {
    connection: Connection<S>,
    decoder: Decoder,
    persistent: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Goes on to the content of a response whose head has come.
    pub(in crate::upstream) fn converse(self, answer: Answer) -> (http::response::Parts, Conversation<S>) {
        let Answer { head, decoder, persistent } = answer;
        (head, Conversation { connection: self, decoder, persistent })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    /// The content, if all of it came with the head.
    pub(in crate::upstream) fn take_whole(&mut self) -> Option<Bytes> {
        let received = &mut self.connection.received;
        match self.decoder.state {
            State::Done => Some(Bytes::new()),
            State::Length(length) if received.len() as u64 >= length => {
                self.decoder.state = State::Done;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                Some(received.split_to(length).freeze())
            }
            _ => None,
        }
    }

    /// The stream and what came on it, for whatever is spoken after a switch of protocols.
    pub(in crate::upstream) fn into_stream(self) -> (S, Bytes) {
        (self.connection.stream, self.connection.received.freeze())
    }

    /// The connection, if it can serve another request: this one is over in both directions.
    pub(in crate::upstream) fn into_idle(self) -> Option<Connection<S>> {
        let mut connection = self.connection;
        let is_over = self.decoder.is_done() && connection.outgoing.is_complete() && connection.received.is_empty();
        (self.persistent && is_over).then(|| {
            connection.rest();
            connection
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let connection = &mut self.connection;
        match connection.outgoing.poll(&mut connection.stream, cx) {
            // A response to a request that has broken off is none to what was asked.
            Poll::Ready(Err(SendError::Body(error))) => return Poll::Ready(Some(Err(error))),
            // An upstream that takes no more of the request may still tell why.
            Poll::Ready(Err(SendError::Stream(_)) | Ok(())) | Poll::Pending => {}
        }
        self.poll_content(cx).map(|frame| frame.map(|frame| frame.map_err(BodyError::Upstream)))
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let connection = &mut self.connection;
        loop {
            if let Some(frame) = self.decoder.take(&mut connection.received)? {
                return Poll::Ready(Some(Ok(frame)));
            }
            if self.decoder.is_done() {
                return Poll::Ready(None);
            }
            if ready!(connection.poll_receive(cx))? == 0 {
                return match self.decoder.state {
                    State::UntilClose => {
                        self.decoder.state = State::Done;
                        Poll::Ready(None)
                    }
                    _ => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                };
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HttpBody for Conversation<S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.get_mut().poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        match self.decoder.state {
            State::Length(left) => SizeHint::with_exact(left),
            State::Done => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str, step: usize) -> Result<(Vec<u8>, usize), BadResponse> {
        let limits = HeadLimits { fields: 4, bytes: 256 };
        let framing = Framing { length: Length::Chunked, persistent: true, limits };
        let (mut decoder, mut received) = (Decoder::new(framing), BytesMut::new());
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
        if decoder.is_done() && received.is_empty() { Ok((content, trailers)) } else { Err(BadResponse("unfinished")) }
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
