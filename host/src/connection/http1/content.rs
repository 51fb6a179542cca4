//! The content of a request, as whoever reads it sees it. Only what is asked for is read.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::AsyncWrite;

use super::intake::Refused;
use super::wire::{Wire, Writer};
use crate::message::BodyError;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

pub(super) struct Content {
    wire: Rc<Wire>,
    /// What is left to be said before the client sends it.
    invitation: &'static [u8],
    ended: bool,
}

impl Content {
    /// Of the request whose head has just been taken.
    pub(super) fn new(wire: Rc<Wire>, expects_continue: bool) -> Self {
        wire.reader_comes(expects_continue);
        Self { wire, invitation: if expects_continue { CONTINUE } else { &[] }, ended: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Frame<Bytes>>>> {
        loop {
            {
                let mut intake = self.wire.intake.borrow_mut();
                if let Some(frame) = intake.content()? {
                    // Whoever sends content does not wait for an invitation.
                    self.invitation = &[];
                    self.wire.invite();
                    return Poll::Ready(Ok(Some(frame)));
                }
                if !intake.is_in_content() {
                    return Poll::Ready(Ok(None));
                }
            }
            ready!(self.poll_invite(cx))?;
            if ready!(self.wire.poll_read(cx))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    fn poll_invite(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.invitation.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.wire.invite();
        let mut writer = Writer(&self.wire);
        while !self.invitation.is_empty() {
            let count = ready!(Pin::new(&mut writer).poll_write(cx, self.invitation))?;
            self.invitation = &self.invitation[count..];
        }
        Pin::new(&mut writer).poll_flush(cx)
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.wire.reader_goes();
        }
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Violation(violation) => violation.into(),
            Refused::Malformed(_) => Self::new(io::ErrorKind::InvalidData, refused),
        }
    }
}

impl HttpBody for Content {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = ready!(this.poll(cx)).map_err(BodyError::Client).transpose();
        if this.is_end_stream() || frame.as_ref().is_none_or(Result::is_err) {
            this.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        !self.wire.intake.borrow().is_in_content()
    }

    fn size_hint(&self) -> SizeHint {
        self.wire.intake.borrow().size_hint()
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.end();
    }
}
