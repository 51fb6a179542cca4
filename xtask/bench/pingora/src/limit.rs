//! A limit of a million requests a second with a burst of as many, as one number that all threads share (GCRA).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Nanoseconds from one request to the next at the full rate.
const INTERVAL: u64 = 1000;
/// Nanoseconds that a burst may be ahead.
const TOLERANCE: u64 = 1_000_000_000;

#[derive(Default)]
pub(crate) struct Limit {
    begin: OnceLock<Instant>,
    /// When the next request would arrive at the full rate.
    arrival: AtomicU64,
}

impl Limit {
    /// Counts a request that is within the limit.
    pub(crate) fn allows(&self) -> bool {
        let now = self.begin.get_or_init(Instant::now).elapsed().as_nanos() as u64;
        let next = |arrival: u64| {
            let arrival = arrival.max(now) + INTERVAL;
            (arrival - now <= TOLERANCE).then_some(arrival)
        };
        self.arrival.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}
