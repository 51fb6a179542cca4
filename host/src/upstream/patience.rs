//! How long a request may wait for its response. One timer for each connection, set anew only when it goes off, rather than
//! one for each request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// The time-out of the request that a connection serves, if it serves one.
pub(super) struct Patience {
    bound: Duration,
    /// When the request last made progress; none while there is no request or its response has come.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new(bound: Duration) -> Self {
        Self { bound, since: None, timer: None }
    }

    /// The bound of the next request.
    pub(super) fn set_bound(&mut self, bound: Duration) {
        self.bound = bound;
    }

    /// A request begins to wait, or has made progress.
    pub(super) fn begin(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Whether no request waits.
    pub(super) fn is_at_rest(&self) -> bool {
        self.since.is_none()
    }

    /// It waits no longer.
    pub(super) fn end(&mut self) {
        self.since = None;
    }

    /// Ready when a request has waited for the whole bound.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(since) = self.since else { return Poll::Pending };
        let due = since + self.bound;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() > due {
            // It was set for a request that was allowed to take longer.
            timer.as_mut().reset(due);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            // It was set for an earlier request.
            timer.as_mut().reset(due);
        }
    }
}
