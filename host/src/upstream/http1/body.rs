//! The content of a response as it arrives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{BadResponse, Connection};
use crate::message::BodyError;
use crate::wire::SendError;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// The content, if all of it came with the head.
    pub(in crate::upstream) fn take_whole(&mut self) -> Option<Bytes> {
        self.content.take_whole(&mut self.received)
    }

    /// The stream and what came on it, for whatever is spoken after a switch of protocols.
    pub(in crate::upstream) fn into_stream(self) -> (S, Bytes) {
        (self.stream, self.received.freeze())
    }

    /// Prepares for the next request. Says whether it can serve one: the one before is over in both directions.
    pub(in crate::upstream) fn settle(&mut self) -> bool {
        let is_over = self.content.is_done() && self.outgoing.is_complete() && self.received.is_empty();
        let serves = self.persistent && is_over;
        if serves {
            self.rest();
        }
        serves
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(frame) = self.content.take(&mut self.received).map_err(BadResponse::from)? {
                return Poll::Ready(Some(Ok(frame)));
            }
            if self.content.is_done() {
                return Poll::Ready(None);
            }
            if ready!(self.poll_receive(cx))? == 0 {
                return match self.content.end() {
                    true => Poll::Ready(None),
                    false => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                };
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HttpBody for Connection<S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match this.outgoing.poll(&mut this.stream, cx) {
            // A response to a request that has broken off is none to what was asked.
            Poll::Ready(Err(SendError::Body(error))) => return Poll::Ready(Some(Err(error))),
            // An upstream that takes no more of the request may still tell why.
            Poll::Ready(Err(SendError::Stream(_)) | Ok(())) | Poll::Pending => {}
        }
        this.poll_content(cx).map(|frame| frame.map(|frame| frame.map_err(BodyError::Upstream)))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
