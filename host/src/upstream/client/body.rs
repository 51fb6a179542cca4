//! The content of a response on a connection of HTTP/1.1.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Connection, Custody, Pool};
use crate::message::{BodyError, IdleTimeout};

/// The content of a response. Dropped before its end, it closes its connection: what is left of it would be taken for
/// the next response.
pub(super) struct PooledBody {
    pub(super) inner: Option<IdleTimeout<Box<Connection>>>,
    pub(super) home: Rc<Pool>,
    pub(super) custody: Custody,
}

impl HttpBody for PooledBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *inner).poll_frame(cx);
        let is_over = match &frame {
            Poll::Ready(Some(Ok(_))) => inner.is_end_stream(),
            Poll::Ready(None | Some(Err(_))) => true,
            Poll::Pending => false,
        };
        // After an error it is not usable, and closed here.
        if is_over && let Some(inner) = this.inner.take() {
            this.home.bring_home(&this.custody, inner.into_inner());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl HttpBody for Connection {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.get_mut().wire).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.wire.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.wire.size_hint()
    }
}
