//! How many exchanges a policy may have open at once. Each worker counts by itself up to its share; only beyond it the
//! workers look at each other's counts.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::telemetry::Tally;

/// The bound of a policy, over all workers.
#[derive(Debug)]
pub struct Load {
    /// How many.
    pub most: usize,
    /// Each worker's own part.
    share: usize,
    opened: Tally,
    closed: Tally,
    /// How many are open beyond their worker's share.
    borrowed: AtomicUsize,
}

/// What a worker has open.
#[derive(Debug, Default)]
pub(super) struct Open {
    count: Cell<usize>,
    borrowed: Cell<usize>,
}

impl Load {
    /// A bound for so many workers.
    #[must_use]
    pub fn new(most: usize, workers: usize) -> Self {
        let (opened, closed) = (Tally::default(), Tally::default());
        Self { most, share: most / workers.max(1), opened, closed, borrowed: AtomicUsize::new(0) }
    }

    /// An exchange begins, and ends in any case; whether it may go on.
    pub(super) fn begin(&self, worker: &Open) -> bool {
        self.opened.add(1);
        worker.count.set(worker.count.get() + 1);
        if worker.count.get() > self.share {
            worker.borrowed.set(worker.borrowed.get() + 1);
            self.borrowed.fetch_add(1, Ordering::Relaxed);
        }
        // As long as nobody has more than its share, the bound cannot have been reached.
        self.borrowed.load(Ordering::Relaxed) == 0
            || self.opened.sum().saturating_sub(self.closed.sum()) <= self.most as u64
    }

    /// It ends.
    pub(super) fn end(&self, worker: &Open) {
        self.closed.add(1);
        worker.count.set(worker.count.get() - 1);
        if let Some(rest) = worker.borrowed.get().checked_sub(1) {
            worker.borrowed.set(rest);
            self.borrowed.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_over_all_workers() {
        let load = Load::new(3, 2);
        let (one, two) = (Open::default(), Open::default());
        assert_eq!([&one, &one, &two, &two].map(|worker| load.begin(worker)), [true, true, true, false]);
        load.end(&two);
        load.end(&one);
        assert!(load.begin(&two));
        [&one, &two, &two].into_iter().for_each(|worker| load.end(worker));
        assert_eq!(load.borrowed.load(Ordering::Relaxed), 0);
    }
}
