//! How long a connection may keep a request waiting. One timer for each connection, set anew only when it goes off, rather
//! than one for each request.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

/// The time-out of the request that a connection serves, if it serves one.
pub(super) struct Patience {
    bound: Duration,
    /// When the request last made progress; none while there is no request or its response has come.
    since: Cell<Option<Instant>>,
    exhausted: Cell<bool>,
}

impl Patience {
    pub(super) fn new(bound: Duration) -> Rc<Self> {
        Rc::new(Self { bound, since: Cell::new(None), exhausted: Cell::new(false) })
    }

    /// A request begins to wait, or has made progress.
    pub(super) fn begin(&self) {
        self.since.set(Some(Instant::now()));
    }

    /// It waits no longer.
    pub(super) fn end(&self) {
        self.since.set(None);
    }

    pub(super) fn bound(&self) -> Duration {
        self.bound
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted.get()
    }

    /// Ends when a request has waited for the whole bound.
    pub(super) async fn exhausted(&self) {
        loop {
            let until = self.since.get().unwrap_or_else(Instant::now) + self.bound;
            tokio::time::sleep_until(until).await;
            if self.since.get().is_some_and(|since| since.elapsed() >= self.bound) {
                self.exhausted.set(true);
                return;
            }
        }
    }
}
