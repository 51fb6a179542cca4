//! A message on its way out: its head, and its body as it comes.

use std::cell::Cell;
use std::io::{self, IoSlice, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::{Body as HttpBody, Frame};
use tokio::io::AsyncWrite;

use crate::message::BodyError;

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Content up to that length is copied behind what goes out before it: one buffer is written faster than two.
const COPIED: usize = 2 << 10;

/// A larger buffer is not kept for the next message.
const SPARED: usize = 16 << 10;

thread_local! {
    /// A buffer for the next message of this worker: most are written at once, and what was used last is still at hand.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Fields that mean nothing, or something else, after the content (RFC 9110, section 6.5.1).
const NOT_IN_TRAILERS: [HeaderName; 6] =
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::HOST, header::CONNECTION, header::TRAILER, header::TE];

/// Why a message could not be sent to its end.
pub(crate) enum SendError {
    /// Its own body failed.
    Body(BodyError),
    /// The peer takes no more.
    Stream(io::Error),
}

/// What is being sent: `buffer`, then `piece`, then `tail`, then whatever `body` gives.
pub(crate) struct Outgoing<B> {
    buffer: Vec<u8>,
    piece: Bytes,
    tail: &'static [u8],
    /// How much of the three has been written.
    written: usize,
    body: Option<B>,
    coding: Coding,
    trailers: bool,
    /// Whether any byte of the message has been written.
    begun: bool,
    /// Whether the body has given anything.
    touched: bool,
    moved: bool,
}

/// How much of the content is to come, and how it is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coding {
    /// Everything is in the buffers.
    #[default]
    Complete,
    /// So many more bytes.
    Length(u64),
    /// In chunks, up to the last.
    Chunked,
    /// Until the connection is closed.
    UntilClose,
}

impl Coding {
    /// Of a message with that body to a peer that knows chunks.
    #[must_use]
    pub fn of(body: &impl HttpBody) -> Self {
        match (body.is_end_stream(), body.size_hint().exact()) {
            (true, _) | (false, Some(0)) => Self::Complete,
            (false, Some(length)) => Self::Length(length),
            (false, None) => Self::Chunked,
        }
    }
}

impl<B> Default for Outgoing<B> {
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            piece: Bytes::new(),
            tail: &[],
            written: 0,
            body: None,
            coding: Coding::Complete,
            trailers: true,
            begun: false,
            touched: false,
            moved: false,
        }
    }
}

impl<B: HttpBody<Data = Bytes, Error = BodyError> + Unpin> Outgoing<B> {
    /// Begins a message whose head is written by `head`; of the body, `coding` says what goes out.
    pub(crate) fn begin(&mut self, coding: Coding, body: B, head: impl FnOnce(&mut Vec<u8>)) {
        (self.body, self.coding, self.trailers) = (Some(body), coding, true);
        (self.begun, self.touched, self.moved) = (false, false, false);
        self.clear();
        if self.buffer.capacity() == 0 {
            self.buffer = SPARE.take();
        }
        head(&mut self.buffer);
    }

    /// Trailers are not sent: the peer has not said that it takes them.
    pub(crate) fn without_trailers(&mut self) {
        self.trailers = false;
    }

    /// Whether the whole message has been written.
    pub(crate) fn is_complete(&self) -> bool {
        self.coding == Coding::Complete && self.left() == 0
    }

    /// Whether not a byte has been written.
    pub(crate) fn is_unsent(&self) -> bool {
        !self.begun
    }

    /// The body, if nothing was taken of it.
    pub(crate) fn take_body(&mut self) -> Option<B> {
        self.body.take_if(|_| !self.touched)
    }

    /// Whether anything has moved since this was asked last.
    pub(crate) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Lets go of the body: it has ended, or nothing of it goes out. What has been taken of it is still to be written.
    pub(crate) fn end_body(&mut self) {
        self.body = None;
    }

    /// Lets go of what a message has left.
    pub(crate) fn rest(&mut self) {
        self.clear();
        self.spare();
        self.body = None;
    }

    fn spare(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        if (1..=SPARED).contains(&buffer.capacity()) {
            SPARE.set(buffer);
        }
    }

    /// Writes as much as the stream and the body allow; ready once everything is written.
    pub(crate) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        loop {
            // The first piece goes out with the head if it is there already.
            let starved = self.coding != Coding::Complete && self.piece.is_empty() && self.tail.is_empty();
            let body = if starved { self.poll_body(cx).map_err(SendError::Body)? } else { Poll::Ready(()) };
            while self.left() > 0 {
                let count = ready!(self.poll_write(stream, cx)).map_err(SendError::Stream)?;
                self.written += count;
                (self.begun, self.moved) = (true, true);
            }
            // With TLS, what was written is not yet sent.
            if self.coding == Coding::Complete {
                self.clear();
                self.spare();
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
        let Some(body) = &mut self.body else { return Ok(Poll::Ready(())) };
        let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else { return Ok(Poll::Pending) };
        (self.touched, self.moved) = (true, true);
        let staged = match frame.transpose()?.map(Frame::into_data) {
            Some(Ok(data)) => self.stage(data),
            Some(Err(frame)) => self.end(frame.into_trailers().ok().as_ref()),
            None => self.end(None),
        };
        if self.coding == Coding::Complete {
            self.end_body();
        }
        staged.map(Poll::Ready)
    }

    fn stage(&mut self, data: Bytes) -> Result<(), BodyError> {
        let length = data.len() as u64;
        match &mut self.coding {
            Coding::Length(left) => {
                *left = left.checked_sub(length).ok_or(BodyError::Length)?;
                if *left == 0 {
                    self.coding = Coding::Complete;
                }
            }
            Coding::Chunked if length > 0 => {
                // Writing to memory does not fail.
                let _ = write!(self.buffer, "{length:x}\r\n");
                self.tail = b"\r\n";
                if self.body.as_ref().is_none_or(HttpBody::is_end_stream) {
                    self.tail = b"\r\n0\r\n\r\n";
                    self.coding = Coding::Complete;
                }
            }
            Coding::Chunked | Coding::UntilClose | Coding::Complete => {}
        }
        if data.len() <= COPIED && !self.buffer.is_empty() {
            self.buffer.extend_from_slice(&data);
            self.buffer.extend_from_slice(std::mem::take(&mut self.tail));
        } else {
            self.piece = data;
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), BodyError> {
        let state = std::mem::replace(&mut self.coding, Coding::Complete);
        match (state, trailers) {
            (Coding::Length(1..), _) => Err(BodyError::Length),
            (Coding::Chunked, Some(trailers)) if self.trailers => {
                self.buffer.extend_from_slice(b"0\r\n");
                encode_fields(&mut self.buffer, trailers, &NOT_IN_TRAILERS);
                self.buffer.extend_from_slice(b"\r\n");
                Ok(())
            }
            (Coding::Chunked, _) => {
                self.tail = LAST_CHUNK;
                Ok(())
            }
            (Coding::Length(0) | Coding::UntilClose | Coding::Complete, _) => Ok(()),
        }
    }
}

/// Writes fields, but for some names.
pub(crate) fn encode_fields(buffer: &mut Vec<u8>, fields: &HeaderMap, without: &[HeaderName]) {
    for (name, value) in fields {
        if !without.contains(name) {
            encode_field(buffer, name, value);
        }
    }
}

/// Writes one field.
pub(crate) fn encode_field(buffer: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    buffer.reserve(name.as_str().len() + value.len() + 4);
    buffer.extend_from_slice(name.as_str().as_bytes());
    buffer.extend_from_slice(b": ");
    buffer.extend_from_slice(value.as_bytes());
    buffer.extend_from_slice(b"\r\n");
}

/// Writes the length of content.
pub(crate) fn encode_length(buffer: &mut Vec<u8>, length: u64) {
    buffer.extend_from_slice(b"content-length: ");
    buffer.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    buffer.extend_from_slice(b"\r\n");
}
