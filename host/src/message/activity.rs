//! What a downstream connection is doing, so that idle and slow ones can be found without a timer for each request.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Counts seconds on one worker; all its connections look at it.
pub type Seconds = Rc<Cell<u32>>;

/// What a connection is doing, and since when.
#[derive(Debug)]
pub struct Activity {
    clock: Seconds,
    phase: Cell<Phase>,
    since: Cell<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No request has begun.
    Idle,
    /// Part of a request's head has come.
    Head,
    /// A request is being served.
    Exchange,
}

impl Activity {
    /// Of a connection that has just been accepted: its first head is due.
    #[must_use]
    pub fn new(clock: Seconds) -> Self {
        let since = Cell::new(clock.get());
        Self { clock, phase: Cell::new(Phase::Head), since }
    }

    /// Bytes have come.
    pub fn received(&self) {
        if self.phase.get() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// An exchange has begun.
    pub fn exchange_begins(&self) {
        self.phase.set(Phase::Exchange);
    }

    /// The exchange has ended.
    pub fn exchange_ends(&self) {
        self.enter(Phase::Idle);
    }

    /// Whether the connection has waited for longer than it may, to the second.
    #[must_use]
    pub fn is_overdue(&self, header_timeout: Duration, keep_alive: Duration) -> bool {
        let bound = match self.phase.get() {
            Phase::Idle => keep_alive,
            Phase::Head => header_timeout,
            Phase::Exchange => return false,
        };
        u64::from(self.clock.get().wrapping_sub(self.since.get())) > bound.as_secs()
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(self.clock.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_its_bound() {
        let clock = Seconds::default();
        let activity = Activity::new(Rc::clone(&clock));
        let overdue = || activity.is_overdue(Duration::from_secs(10), Duration::from_secs(75));
        clock.set(10);
        assert!(!overdue());
        clock.set(11);
        assert!(overdue(), "the first head is late");
        activity.exchange_begins();
        clock.set(1_000);
        assert!(!overdue(), "an exchange has bounds of its own");
        activity.exchange_ends();
        clock.set(1_075);
        assert!(!overdue());
        activity.received();
        clock.set(1_085);
        assert!(!overdue());
        clock.set(1_086);
        assert!(overdue(), "the next head is late");
    }
}
