//! Counters of the name spaces that filters keep state in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::counters::Counters;
use super::metrics::Page;
use super::names;

/// What is done with a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOperation {
    /// A value is read.
    Get,
    /// A value is set.
    Set,
    /// A value is removed.
    Delete,
    /// A value is set if it is the expected one.
    CompareAndSwap,
    /// A counter is added to.
    Increment,
    /// A lease is taken.
    Acquire,
    /// A lease is prolonged.
    Renew,
    /// A lease is given back.
    Release,
}

const OPERATIONS: [(StoreOperation, &str); 8] = [
    (StoreOperation::Get, "get"),
    (StoreOperation::Set, "set"),
    (StoreOperation::Delete, "delete"),
    (StoreOperation::CompareAndSwap, "compare-and-swap"),
    (StoreOperation::Increment, "increment"),
    (StoreOperation::Acquire, "acquire"),
    (StoreOperation::Renew, "renew"),
    (StoreOperation::Release, "release"),
];
const REFUSED: usize = OPERATIONS.len();

/// Counters of one space.
#[derive(Debug, Default)]
pub struct SpaceMetrics {
    counters: Counters<{ REFUSED + 1 }>,
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl SpaceMetrics {
    /// Something was done, or tried.
    pub fn operated(&self, operation: StoreOperation) {
        self.counters.add(operation as usize, 1);
    }

    /// There was no room for something.
    pub fn refused(&self) {
        self.counters.add(REFUSED, 1);
    }

    /// How much there is in it.
    pub fn set_holdings(&self, entries: u64, bytes: u64) {
        self.entries.store(entries, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

/// Those of which nothing was ever asked are left out.
pub(super) fn render(page: &mut Page, spaces: &[(String, Arc<SpaceMetrics>)]) {
    let used = |(_, metrics): &&(String, Arc<SpaceMetrics>)| (0..REFUSED).any(|n| metrics.counters.sum(n) > 0);
    let spaces: Vec<_> = spaces.iter().filter(used).collect();
    page.family(names::STORE_OPERATIONS, "counter", "operations of filters on the spaces of this process");
    for (space, metrics) in &spaces {
        for (operation, label) in OPERATIONS {
            let count = metrics.counters.sum(operation as usize);
            page.sample(names::STORE_OPERATIONS, &[("space", space), ("operation", label)], count);
        }
    }
    page.family(names::STORE_REFUSED, "counter", "operations that were refused because the space was full");
    for (space, metrics) in &spaces {
        page.sample(names::STORE_REFUSED, &[("space", space)], metrics.counters.sum(REFUSED));
    }
    page.family(names::STORE_ENTRIES, "gauge", "entries of a space, within the last ten seconds");
    for (space, metrics) in &spaces {
        page.sample(names::STORE_ENTRIES, &[("space", space)], metrics.entries.load(Ordering::Relaxed));
    }
    page.family(names::STORE_BYTES, "gauge", "bytes of a space that are in use, within the last ten seconds");
    for (space, metrics) in &spaces {
        page.sample(names::STORE_BYTES, &[("space", space)], metrics.bytes.load(Ordering::Relaxed));
    }
}
