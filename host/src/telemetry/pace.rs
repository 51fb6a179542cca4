//! How fast lines of log may come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Lets one line a second through and counts those held back.
#[derive(Debug)]
pub(super) struct LogPace {
    start: Instant,
    next: AtomicU64,
    held_back: AtomicU64,
}

impl Default for LogPace {
    fn default() -> Self {
        Self { start: Instant::now(), next: AtomicU64::new(0), held_back: AtomicU64::new(0) }
    }
}

impl LogPace {
    pub(super) fn admit(&self) -> Option<u64> {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let next = self.next.load(Ordering::Relaxed);
        if now >= next && self.next.compare_exchange(next, now + 1_000, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Some(self.held_back.swap(0, Ordering::Relaxed));
        }
        self.held_back.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// Lets a hundred lines a second through, after a first thousand (GCRA), and counts those that are dropped.
#[derive(Debug)]
pub(super) struct LogBudget {
    start: Instant,
    /// When the budget is whole again, in microseconds since the start.
    whole: AtomicU64,
    dropped: AtomicU64,
    told: AtomicU64,
}

/// Microseconds for a line.
const INTERVAL: u64 = 10_000;
/// Lines at once.
const BURST: u64 = 1_000;

impl Default for LogBudget {
    fn default() -> Self {
        let count = AtomicU64::default;
        Self { start: Instant::now(), whole: count(), dropped: count(), told: count() }
    }
}

impl LogBudget {
    /// How many have been dropped since the last line that was let through; none if this one is dropped.
    pub(super) fn admit(&self) -> Option<u64> {
        self.admit_at(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// How many have been dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn admit_at(&self, now: u64) -> Option<u64> {
        let spent = |whole: u64| Some(whole.max(now) + INTERVAL).filter(|whole| *whole <= now + BURST * INTERVAL);
        if self.whole.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let dropped = self.dropped();
        Some(dropped - self.told.swap(dropped, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_lines_pass_and_then_a_hundred_a_second() {
        let budget = LogBudget::default();
        assert_eq!((0..1_500).filter(|_| budget.admit_at(0).is_some()).count(), 1_000);
        assert_eq!(budget.admit_at(INTERVAL), Some(500));
        assert_eq!((budget.admit_at(INTERVAL), budget.dropped()), (None, 501));
        assert_eq!((0..500).filter(|_| budget.admit_at(INTERVAL + 1_000_000).is_some()).count(), 100);
    }
}
