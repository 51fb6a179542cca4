//! Bodies that may not be longer than so much.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::body::{Body, BodyError};

/// A body of unknown length that ends with an error after so many bytes.
struct Limited {
    inner: Body,
    limit: u64,
    left: u64,
}

impl Body {
    /// The body, which ends with an error after that many bytes.
    ///
    /// # Errors
    /// If it is known to be longer: then a body that ends with that error at once.
    pub fn limited(self, limit: u64) -> Result<Self, Self> {
        match self.size_hint().exact() {
            // The framing holds the sender to it.
            Some(length) if length <= limit => Ok(self),
            Some(_) => Err(Self::boxed(Refused(limit))),
            None => Ok(Self::boxed(Limited { inner: self, limit, left: limit })),
        }
    }
}

/// A body that is longer than this, and of which nothing is read.
struct Refused(u64);

impl HttpBody for Refused {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(Some(Err(BodyError::TooLarge(self.0))))
    }
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            match self.left.checked_sub(length) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(BodyError::TooLarge(self.limit)))),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
