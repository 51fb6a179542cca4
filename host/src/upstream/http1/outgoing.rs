//! A request on its way out: its head, and its body as it comes.

use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, header, request};
use http_body::{Body as HttpBody, Frame};
use tokio::io::AsyncWrite;

use crate::message::{Body, BodyError};

/// How much of the buffer is kept between requests, in bytes.
const KEPT: usize = 8 << 10;

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Fields that this connection writes itself (RFC 9112, sections 6 and 9.6), and one that would have to be an option of it
/// (RFC 9110, section 10.1.4).
const OWN: [HeaderName; 4] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::TE];

/// Fields that mean nothing, or something else, after the content (RFC 9110, section 6.5.1).
const NOT_IN_TRAILERS: [HeaderName; 6] =
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::HOST, header::CONNECTION, header::TRAILER, header::TE];

/// Why a request could not be sent to its end.
pub(super) enum SendError {
    /// Its own body failed.
    Body(BodyError),
    /// The upstream takes no more.
    Stream(io::Error),
}

/// What is being sent: `buffer`, then `piece`, then `tail`, then whatever `body` gives.
#[derive(Default)]
pub(super) struct Outgoing {
    buffer: Vec<u8>,
    piece: Bytes,
    tail: &'static [u8],
    /// How much of the three has been written.
    written: usize,
    body: Body,
    state: State,
    /// Whether any byte of the request has been written.
    begun: bool,
    /// Whether the body has given anything.
    touched: bool,
    moved: bool,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    /// Everything is in the buffers.
    #[default]
    Complete,
    /// The body is to give so many more bytes.
    Length(u64),
    Chunked,
}

impl Outgoing {
    pub(super) fn begin(&mut self, head: &request::Parts, body: Body) {
        self.state = match (body.is_end_stream(), body.size_hint().exact()) {
            (true, _) => State::Complete,
            (false, Some(length)) => State::Length(length),
            (false, None) => State::Chunked,
        };
        self.body = body;
        (self.written, self.begun, self.touched, self.moved) = (0, false, false, false);
        self.encode(head);
    }

    /// Whether the whole request has been written.
    pub(super) fn is_complete(&self) -> bool {
        self.state == State::Complete && self.left() == 0
    }

    /// Whether not a byte has been written.
    pub(super) fn is_unsent(&self) -> bool {
        !self.begun
    }

    /// The body, if nothing was taken of it.
    pub(super) fn take_body(&mut self) -> Option<Body> {
        (!self.touched).then(|| std::mem::take(&mut self.body))
    }

    /// Whether anything has moved since this was asked last.
    pub(super) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Lets go of what a request has left.
    pub(super) fn rest(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        (self.piece, self.body, self.written) = (Bytes::new(), Body::Empty, 0);
    }

    /// Writes as much as the stream and the body allow; ready once everything is written.
    pub(super) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        loop {
            // The first piece goes out with the head if it is there already.
            let starved = self.state != State::Complete && self.piece.is_empty() && self.tail.is_empty();
            let body = if starved { self.poll_body(cx).map_err(SendError::Body)? } else { Poll::Ready(()) };
            while self.left() > 0 {
                let count = ready!(self.poll_write(stream, cx)).map_err(SendError::Stream)?;
                self.written += count;
                (self.begun, self.moved) = (true, true);
            }
            // With TLS, what was written is not yet sent.
            if self.state == State::Complete {
                return Pin::new(stream).poll_flush(cx).map_err(SendError::Stream);
            }
            if body.is_pending() {
                let _ = Pin::new(stream).poll_flush(cx).map_err(SendError::Stream)?;
                return Poll::Pending;
            }
            self.clear();
        }
    }

    fn left(&self) -> usize {
        self.buffer.len() + self.piece.len() + self.tail.len() - self.written
    }

    fn clear(&mut self) {
        self.buffer.clear();
        (self.piece, self.tail, self.written) = (Bytes::new(), &[], 0);
    }

    fn poll_write<S: AsyncWrite + Unpin>(&self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut skip = self.written;
        let parts = [&*self.buffer, &*self.piece, self.tail].map(|part| {
            let skipped = skip.min(part.len());
            skip -= skipped;
            &part[skipped..]
        });
        let written = match parts.iter().filter(|part| !part.is_empty()).count() {
            1 => {
                let part = parts.into_iter().find(|part| !part.is_empty()).unwrap_or_default();
                Pin::new(stream).poll_write(cx, part)
            }
            _ => Pin::new(stream).poll_write_vectored(cx, &parts.map(IoSlice::new)),
        };
        written.map(|written| match written {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            written => written,
        })
    }

    /// Asks the body for its next piece; ready once there is something to write or the body has ended.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, BodyError> {
        // Only what has been written can be followed by more, but for the head.
        if self.begun && self.left() > 0 {
            return Ok(Poll::Ready(()));
        }
        if self.begun {
            self.clear();
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else { return Ok(Poll::Pending) };
        (self.touched, self.moved) = (true, true);
        match frame.transpose()?.map(Frame::into_data) {
            Some(Ok(data)) => self.stage(data)?,
            Some(Err(frame)) => self.end(frame.into_trailers().ok().as_ref())?,
            None => self.end(None)?,
        }
        Ok(Poll::Ready(()))
    }

    fn stage(&mut self, data: Bytes) -> Result<(), BodyError> {
        let length = data.len() as u64;
        match &mut self.state {
            State::Length(left) => {
                *left = left.checked_sub(length).ok_or(BodyError::Length)?;
                if *left == 0 {
                    self.state = State::Complete;
                }
            }
            State::Chunked if length > 0 => {
                // Writing to memory does not fail.
                let _ = write!(self.buffer, "{length:x}\r\n");
                self.tail = b"\r\n";
                if self.body.is_end_stream() {
                    self.tail = b"\r\n0\r\n\r\n";
                    self.state = State::Complete;
                }
            }
            State::Chunked | State::Complete => {}
        }
        self.piece = data;
        Ok(())
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), BodyError> {
        let state = std::mem::replace(&mut self.state, State::Complete);
        match (state, trailers) {
            (State::Length(1..), _) => Err(BodyError::Length),
            (State::Chunked, Some(trailers)) => {
                self.buffer.extend_from_slice(b"0\r\n");
                encode_fields(&mut self.buffer, trailers, &NOT_IN_TRAILERS);
                self.buffer.extend_from_slice(b"\r\n");
                Ok(())
            }
            (State::Chunked, None) => {
                self.tail = LAST_CHUNK;
                Ok(())
            }
            (State::Length(0) | State::Complete, _) => Ok(()),
        }
    }

    fn encode(&mut self, head: &request::Parts) {
        self.clear();
        let buffer = &mut self.buffer;
        buffer.extend_from_slice(head.method.as_str().as_bytes());
        buffer.push(b' ');
        buffer.extend_from_slice(head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).as_bytes());
        buffer.extend_from_slice(b" HTTP/1.1\r\n");
        encode_fields(buffer, &head.headers, &OWN);
        if head.headers.contains_key(header::UPGRADE) {
            buffer.extend_from_slice(b"connection: upgrade\r\n");
        }
        match self.state {
            State::Length(length) => drop(write!(buffer, "content-length: {length}\r\n")),
            State::Chunked => buffer.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            // A request that said it has no content says so again; others say nothing.
            State::Complete if head.headers.contains_key(header::CONTENT_LENGTH) => {
                buffer.extend_from_slice(b"content-length: 0\r\n");
            }
            State::Complete => {}
        }
        buffer.extend_from_slice(b"\r\n");
    }
}

fn encode_fields(buffer: &mut Vec<u8>, fields: &HeaderMap, without: &[HeaderName]) {
    for (name, value) in fields {
        if without.contains(name) {
            continue;
        }
        buffer.reserve(name.as_str().len() + value.len() + 4);
        buffer.extend_from_slice(name.as_str().as_bytes());
        buffer.extend_from_slice(b": ");
        buffer.extend_from_slice(value.as_bytes());
        buffer.extend_from_slice(b"\r\n");
    }
}
