//! What a downstream connection is doing, so that idle and slow ones can be found without a timer for each request.

use std::cell::{Cell, RefCell};
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
    exchanges: Open,
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
        Self { clock, phase: Cell::new(Phase::New), since, exchanges: Open::default(), blocked: Cell::new(None) }
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

    /// An exchange has begun on that generation of what is served.
    pub fn exchange_begins(&self, generation: u64) {
        self.exchanges.begin(generation);
        self.phase.set(Phase::Exchange);
    }

    /// An exchange that began on that generation has ended.
    pub fn exchange_ends(&self, generation: u64) {
        if self.exchanges.end(generation) {
            self.enter(Phase::Idle);
        }
    }

    /// How many exchanges are open that began on that generation of what is served, or on an older one.
    #[must_use]
    pub fn exchanges_until(&self, generation: u64) -> u32 {
        self.exchanges.until(generation)
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

/// How many exchanges are open, by the generation that they began on: one at a time on HTTP/1.1, and of a few generations
/// while what is served changes.
#[derive(Debug, Default)]
struct Open {
    newest: Cell<(u64, u32)>,
    older: RefCell<Vec<(u64, u32)>>,
}

impl Open {
    fn begin(&self, generation: u64) {
        let (newest, count) = self.newest.get();
        if newest == generation {
            return self.newest.set((newest, count + 1));
        }
        if count > 0 {
            self.older.borrow_mut().push((newest, count));
        }
        self.newest.set((generation, 1));
    }

    /// Says whether that was the last.
    fn end(&self, generation: u64) -> bool {
        let (newest, count) = self.newest.get();
        if newest == generation {
            self.newest.set((newest, count.saturating_sub(1)));
            return count <= 1 && self.older.borrow().is_empty();
        }
        let mut older = self.older.borrow_mut();
        if let Some((_, count)) = older.iter_mut().find(|(known, _)| *known == generation) {
            *count = count.saturating_sub(1);
        }
        older.retain(|(_, count)| *count > 0);
        count == 0 && older.is_empty()
    }

    fn until(&self, generation: u64) -> u32 {
        let older = self.older.borrow();
        let all = older.iter().copied().chain([self.newest.get()]);
        all.filter(|(known, _)| *known <= generation).map(|(_, count)| count).sum()
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
        activity.exchange_begins(1);
        clock.set(1_000);
        assert!(!overdue(), "an exchange has bounds of its own");
        activity.exchange_ends(1);
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
        activity.exchange_begins(1);
        activity.exchange_begins(1);
        activity.exchange_ends(1);
        clock.set(1_000);
        assert!(!overdue(), "one of two has not ended");
        activity.exchange_ends(1);
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
        activity.exchange_begins(1);
        clock.set(1_000);
        assert!(!idle());
        activity.exchange_ends(1);
        assert!(!idle(), "it has only just become idle");
        clock.set(1_002);
        assert!(idle());
    }

    #[test]
    fn exchanges_are_counted_by_the_generation_that_they_began_on() {
        let activity = Activity::new(Seconds::default());
        let idle = || activity.is_overdue(Duration::ZERO, Duration::MAX) || activity.phase.get() == Phase::Idle;
        activity.exchange_begins(1);
        activity.exchange_begins(1);
        activity.exchange_begins(3);
        assert_eq!([0, 1, 2, 3].map(|generation| activity.exchanges_until(generation)), [0, 2, 2, 3]);
        activity.exchange_ends(3);
        assert!(!idle(), "older ones are open");
        activity.exchange_begins(4);
        activity.exchange_ends(1);
        activity.exchange_ends(1);
        assert_eq!((activity.exchanges_until(3), activity.exchanges_until(4), idle()), (0, 1, false));
        activity.exchange_ends(4);
        assert!(idle());
    }
}
