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
    /// How many exchanges are open: more than one on HTTP/2 only.
    exchanges: Cell<u32>,
    /// Since when the client has taken nothing although there is something for it.
    blocked: Cell<Option<u32>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come since it was accepted.
    New,
    /// No further request has begun.
    Idle,
    /// Part of a request's head has come.
    Head,
    /// Requests are being served.
    Exchange,
}

impl Activity {
    /// Of a connection that has just been accepted: its first head is due.
    #[must_use]
    pub fn new(clock: Seconds) -> Self {
        let since = Cell::new(clock.get());
        Self { clock, phase: Cell::new(Phase::New), since, exchanges: Cell::new(0), blocked: Cell::new(None) }
    }

    /// Bytes have come.
    pub fn received(&self) {
        match self.phase.get() {
            Phase::Idle => self.enter(Phase::Head),
            // Due from the beginning.
            Phase::New => self.phase.set(Phase::Head),
            Phase::Head | Phase::Exchange => {}
        }
    }

    /// The connection stands, and a request may come or not: HTTP/2 clients often connect before they have one.
    pub fn opened(&self) {
        if matches!(self.phase.get(), Phase::New | Phase::Head) {
            self.enter(Phase::Idle);
        }
    }

    /// An exchange has begun.
    pub fn exchange_begins(&self) {
        self.exchanges.set(self.exchanges.get() + 1);
        self.phase.set(Phase::Exchange);
    }

    /// An exchange has ended.
    pub fn exchange_ends(&self) {
        self.exchanges.set(self.exchanges.get().saturating_sub(1));
        if self.exchanges.get() == 0 {
            self.enter(Phase::Idle);
        }
    }

    /// The client takes nothing more for now.
    pub fn blocked(&self) {
        if self.blocked.get().is_none() {
            self.blocked.set(Some(self.clock.get()));
        }
    }

    /// The client has taken something.
    pub fn moved(&self) {
        self.blocked.set(None);
    }

    /// Whether the client has taken nothing for longer than it may, to the second.
    #[must_use]
    pub fn is_stuck(&self, body_idle: Duration) -> bool {
        self.blocked.get().is_some_and(|since| self.is_past(since, body_idle))
    }

    /// The clock of the connection's worker.
    #[must_use]
    pub fn clock(&self) -> &Seconds {
        &self.clock
    }

    /// Whether the connection has waited for longer than it may, to the second.
    #[must_use]
    pub fn is_overdue(&self, header_timeout: Duration, keep_alive: Duration) -> bool {
        let bound = match self.phase.get() {
            Phase::Idle => keep_alive,
            Phase::New | Phase::Head => header_timeout,
            Phase::Exchange => return false,
        };
        self.is_past(self.since.get(), bound)
    }

    /// Whether no request has begun for longer than that, to the second.
    #[must_use]
    pub fn is_idle_for(&self, bound: Duration) -> bool {
        matches!(self.phase.get(), Phase::New | Phase::Idle) && self.is_past(self.since.get(), bound)
    }

    fn is_past(&self, since: u32, bound: Duration) -> bool {
        u64::from(self.clock.get().wrapping_sub(since)) > bound.as_secs()
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

    #[test]
    fn a_connection_is_idle_when_its_last_exchange_has_ended() {
        let clock = Seconds::default();
        let activity = Activity::new(Rc::clone(&clock));
        let overdue = || activity.is_overdue(Duration::from_secs(10), Duration::from_secs(75));
        activity.opened();
        clock.set(75);
        assert!(!overdue(), "it may take its time for the first request");
        activity.exchange_begins();
        activity.exchange_begins();
        activity.exchange_ends();
        clock.set(1_000);
        assert!(!overdue(), "one of two has not ended");
        activity.exchange_ends();
        clock.set(1_076);
        assert!(overdue());
    }

    #[test]
    fn who_takes_nothing_is_stuck_after_a_while() {
        let clock = Seconds::default();
        let activity = Activity::new(Rc::clone(&clock));
        let stuck = || activity.is_stuck(Duration::from_secs(20));
        activity.blocked();
        clock.set(15);
        activity.blocked();
        clock.set(21);
        assert!(stuck(), "it counts from the first time");
        activity.moved();
        assert!(!stuck());
    }

    #[test]
    fn a_connection_is_idle_before_its_first_byte_and_between_requests() {
        let clock = Seconds::default();
        let activity = Activity::new(Rc::clone(&clock));
        let idle = || activity.is_idle_for(Duration::from_secs(1));
        clock.set(1);
        assert!(!idle());
        clock.set(2);
        assert!(idle());
        activity.received();
        assert!(!idle(), "a head is on its way");
        activity.exchange_begins();
        clock.set(1_000);
        assert!(!idle());
        activity.exchange_ends();
        assert!(!idle(), "it has only just become idle");
        clock.set(1_002);
        assert!(idle());
    }
}
