//! The bound on an exchange as a whole, where a route has one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

use super::error::ExchangeError;
use crate::message::{Body, BodyError};

/// When an exchange has to be over. The only timers that belong to one request, so only where they are asked for.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    total: Duration,
    until: Instant,
}

impl Deadline {
    pub(super) fn new(total: Duration, started: Instant) -> Self {
        Self { total, until: started + total }
    }

    /// Waits for the response, and lets its body come until the deadline.
    pub(super) async fn bound(
        self,
        response: Pin<Box<impl Future<Output = Result<Response<Body>, ExchangeError>>>>,
    ) -> Result<Response<Body>, ExchangeError> {
        let Self { total, until } = self;
        // Boxed, as it goes on with the body.
        let mut timer = Box::pin(tokio::time::sleep_until(until.into()));
        let response = tokio::select! {
            biased;
            response = response => response?,
            () = timer.as_mut() => return Err(ExchangeError::Late),
        };
        Ok(response.map(|inner| match inner.is_end_stream() {
            true => inner,
            false => Body::boxed(Bounded { inner, timer, total }),
        }))
    }
}

/// A response's body that is cut at the deadline.
struct Bounded {
    inner: Body,
    timer: Pin<Box<Sleep>>,
    total: Duration,
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.timer.as_mut().poll(cx).is_ready() {
            // With it goes the connection to the upstream, whose response nobody reads any more.
            self.inner = Body::Empty;
            return Poll::Ready(Some(Err(BodyError::Late(self.total))));
        }
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
