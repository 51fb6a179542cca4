//! HTTP/1.1 to an upstream (RFC 9112). The exchange that uses a connection drives it: there is no task for it, no channel
//! and no wake-up between the two. A response that could be understood in two ways is an error.

mod body;
mod head;

pub use head::{Framing, HeadReader};

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderName, Method, StatusCode, header, request, response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use super::patience::Patience;
use crate::message::{Body, BodyError};
use crate::wire::{Coding, Decoder, HeadLimits, Length, Malformed, Outgoing, SendError, encode_fields, encode_length};

/// The least and the most that is read at once, in bytes. Bodies that fill what is asked for are asked for more of.
const READ: std::ops::RangeInclusive<usize> = 8 << 10..=128 << 10;

/// Fields that this connection writes itself (RFC 9112, sections 6 and 9.6), and one that would have to be an option of it
/// (RFC 9110, section 10.1.4).
const OWN: [HeaderName; 4] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::TE];

/// A connection that serves one request after another. Once a response's head has come it is a body: the response's content,
/// while what is left of the request goes out. Large: whoever holds one boxes it.
pub(super) struct Connection<S> {
    stream: S,
    /// What has come and was not yet taken.
    received: BytesMut,
    appetite: usize,
    head: HeadReader,
    limits: HeadLimits,
    outgoing: Outgoing<Body>,
    patience: Patience,
    /// What is to come of the content of the response at hand.
    content: Decoder,
    /// Whether the upstream keeps the connection after that.
    persistent: bool,
    /// Whether it has served a request before.
    reused: bool,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the connection was closed before a response")]
    Closed,
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    #[error(transparent)]
    Response(#[from] BadResponse),
    #[error("no response in time")]
    Timeout,
    #[error("the request's body ended early")]
    Request(#[source] BodyError),
}

/// What an upstream sent is no response, or could be more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid response: {0}")]
pub struct BadResponse(
    /// What is wrong with it.
    pub &'static str,
);

impl From<Malformed> for BadResponse {
    fn from(malformed: Malformed) -> Self {
        Self(malformed.0)
    }
}

impl From<BadResponse> for io::Error {
    fn from(bad: BadResponse) -> Self {
        Self::new(io::ErrorKind::InvalidData, bad)
    }
}

fn asks_to_switch(head: &request::Parts) -> bool {
    head.headers.contains_key(header::UPGRADE)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, limits: HeadLimits, first_byte_timeout: Duration) -> Self {
        Self {
            stream,
            received: BytesMut::new(),
            appetite: *READ.start(),
            head: HeadReader::new(limits),
            limits,
            outgoing: Outgoing::default(),
            patience: Patience::new(first_byte_timeout),
            content: Decoder::new(Length::Known(0), limits),
            persistent: true,
            reused: false,
        }
    }

    /// How long the next request may wait, from its latest progress.
    pub(super) fn set_patience(&mut self, first_byte: Duration) {
        self.patience.set_bound(first_byte);
    }

    /// Whether an unused connection still stands. One that says something unasked is out of step.
    pub(super) fn is_usable(&mut self) -> bool {
        let mut nobody = Context::from_waker(Waker::noop());
        self.received.is_empty() && self.poll_receive(&mut nobody).is_pending()
    }

    /// Sends a request and waits for the head of the response, within the time-out from the request's latest progress.
    pub(super) async fn call(&mut self, head: &request::Parts, body: Body) -> Result<response::Parts, Failure> {
        let coding = Coding::of(&body);
        self.outgoing.begin(coding, body, |buffer| encode(buffer, head, coding));
        self.head.begin();
        let answer = poll_fn(|cx| self.poll_call(cx, &head.method)).await;
        self.patience.end();
        match answer {
            Ok(answer) if answer.status == StatusCode::SWITCHING_PROTOCOLS && !asks_to_switch(head) => {
                Err(BadResponse("a switch of protocols that nobody asked for").into())
            }
            answer => answer,
        }
    }

    /// The request's body, if the request can go out again on another connection: nothing of it was taken in by the upstream
    /// as far as can be known (RFC 9110, section 9.2.2).
    pub(super) fn take_unsent(&mut self, method: &Method, failure: &Failure) -> Option<Body> {
        let closed = match failure {
            Failure::Closed => true,
            Failure::Broken(error) => {
                matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
            }
            _ => false,
        };
        let unseen = self.outgoing.is_unsent() || (method.is_idempotent() && self.received.is_empty());
        (self.reused && closed && unseen).then(|| self.outgoing.take_body()).flatten()
    }

    fn poll_call(&mut self, cx: &mut Context<'_>, method: &Method) -> Poll<Result<response::Parts, Failure>> {
        let broken = match self.outgoing.poll(&mut self.stream, cx) {
            Poll::Ready(Err(SendError::Body(error))) => return Poll::Ready(Err(Failure::Request(error))),
            // The upstream may have answered before it stopped to listen.
            Poll::Ready(Err(SendError::Stream(error))) => Some(error),
            Poll::Ready(Ok(())) | Poll::Pending => None,
        };
        if self.outgoing.has_moved() || self.patience.is_at_rest() {
            self.patience.begin();
        }
        loop {
            if let Some((head, framing)) = self.head.take(&mut self.received, method)? {
                (self.content, self.persistent) = (Decoder::new(framing.length, self.limits), framing.persistent);
                return Poll::Ready(Ok(head));
            }
            match self.poll_receive(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(broken.map_or(Failure::Closed, Failure::Broken))),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Broken(error))),
                Poll::Pending => match broken {
                    Some(error) => return Poll::Ready(Err(Failure::Broken(error))),
                    None => return self.patience.poll(cx).map(|()| Err(Failure::Timeout)),
                },
            }
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.received.reserve(self.appetite);
        let room = self.received.capacity() - self.received.len();
        let read = poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.received);
        if let Poll::Ready(Ok(count)) = read
            && count == room
        {
            self.appetite = (self.appetite * 2).min(*READ.end());
        }
        read
    }

    /// Prepares for the next request; large buffers are not kept meanwhile.
    fn rest(&mut self) {
        self.reused = true;
        self.appetite = *READ.start();
        if self.received.capacity() > 2 * READ.start() {
            self.received = BytesMut::new();
        }
        self.outgoing.rest();
    }
}

/// The head of a request (RFC 9112, section 3).
pub fn encode(buffer: &mut Vec<u8>, head: &request::Parts, coding: Coding) {
    buffer.extend_from_slice(head.method.as_str().as_bytes());
    buffer.push(b' ');
    buffer.extend_from_slice(head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).as_bytes());
    buffer.extend_from_slice(b" HTTP/1.1\r\n");
    encode_fields(buffer, &head.headers, &OWN);
    if asks_to_switch(head) {
        buffer.extend_from_slice(b"connection: upgrade\r\n");
    }
    match coding {
        Coding::Length(length) => encode_length(buffer, length),
        Coding::Chunked => buffer.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // A request that said it has no content says so again; others say nothing.
        Coding::Complete if head.headers.contains_key(header::CONTENT_LENGTH) => {
            buffer.extend_from_slice(b"content-length: 0\r\n");
        }
        Coding::Complete | Coding::UntilClose => {}
    }
    buffer.extend_from_slice(b"\r\n");
}
