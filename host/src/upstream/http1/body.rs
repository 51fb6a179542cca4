//! The content of a response as it arrives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Answer, BadResponse, Connection};
use crate::message::BodyError;
use crate::wire::{Decoder, SendError};

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
        self.decoder.take_whole(&mut self.connection.received)
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
            if let Some(frame) = self.decoder.take(&mut connection.received).map_err(BadResponse::from)? {
                return Poll::Ready(Some(Ok(frame)));
            }
            if self.decoder.is_done() {
                return Poll::Ready(None);
            }
            if ready!(connection.poll_receive(cx))? == 0 {
                return match self.decoder.end() {
                    true => Poll::Ready(None),
                    false => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
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
        self.decoder.size_hint()
    }
}
