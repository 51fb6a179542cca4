//! The content of a response on a connection of HTTP/1.1.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::stream::Stream;
use super::{Custody, Origin, Pool};
use crate::message::{BodyError, IdleTimeout};
use crate::upstream::http1::Conversation;

/// The content of a response. Dropped before its end, it closes its connection: what is left of it would be taken for
/// the next response.
pub(super) struct PooledBody {
    pub(super) inner: Option<(IdleTimeout<Conversation<Stream>>, Origin)>,
    pub(super) home: Rc<Pool>,
    pub(super) custody: Custody,
}

impl HttpBody for PooledBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some((inner, _)) = &mut this.inner else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *inner).poll_frame(cx);
        let is_over = match &frame {
            Poll::Ready(Some(Ok(_))) => inner.is_end_stream(),
            Poll::Ready(None | Some(Err(_))) => true,
            Poll::Pending => false,
        };
        // After an error it is not usable, and closed here.
        if is_over && let Some((inner, origin)) = this.inner.take() {
            this.home.bring_home(&this.custody, inner.into_inner(), origin);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|(inner, _)| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), |(inner, _)| inner.size_hint())
    }
}
