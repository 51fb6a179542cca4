//! Counters that workers add to without sharing a cache line.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many sets of counters there are; more threads than that share some, which costs time but no correctness.
const LANES: usize = 8;

/// The set of counters that this thread uses, below 8.
#[must_use]
pub fn lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LANES);
    LANE.with(|lane| *lane)
}

#[derive(Debug)]
#[repr(align(128))]
struct Lane<const N: usize>([AtomicU64; N]);

/// `N` counters that many threads add to and that are summed when somebody asks.
#[derive(Debug)]
pub(super) struct Counters<const N: usize>(Box<[Lane<N>]>);

/// A single count of that kind.
#[derive(Debug, Default)]
pub struct Tally(Counters<1>);

impl Tally {
    /// Counts so many more.
    pub fn add(&self, amount: u64) {
        self.0.add(0, amount);
    }

    /// How many there were.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.sum(0)
    }
}

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self((0..LANES).map(|_| Lane(std::array::from_fn(|_| AtomicU64::new(0)))).collect())
    }
}

impl<const N: usize> Counters<N> {
    pub(super) fn add(&self, counter: usize, amount: u64) {
        self.0[lane()].0[counter].fetch_add(amount, Ordering::Relaxed);
    }

    /// Adds to a counter whose values are the bits of floating-point numbers.
    pub(super) fn add_float(&self, counter: usize, amount: f64) {
        let added = |bits| Some((f64::from_bits(bits) + amount).to_bits());
        let _ = self.0[lane()].0[counter].fetch_update(Ordering::Relaxed, Ordering::Relaxed, added);
    }

    pub(super) fn sum_float(&self, counter: usize) -> f64 {
        self.0.iter().map(|lane| f64::from_bits(lane.0[counter].load(Ordering::Relaxed))).sum()
    }

    pub(super) fn sum(&self, counter: usize) -> u64 {
        self.0.iter().fold(0, |sum, lane| sum.wrapping_add(lane.0[counter].load(Ordering::Relaxed)))
    }
}
