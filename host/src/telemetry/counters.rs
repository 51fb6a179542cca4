//! Counters that workers add to without sharing a cache line.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

/// How many sets of counters there are: one for each core's worker, and the first, which all other threads share.
static LANES: LazyLock<usize> = LazyLock::new(|| 1 + std::thread::available_parallelism().map_or(1, usize::from));

/// The sets that no thread has for itself.
static FREE: LazyLock<Mutex<Vec<usize>>> = LazyLock::new(|| Mutex::new((1..*LANES).rev().collect()));

/// The set that is everybody's.
const SHARED: usize = 0;

thread_local! {
    static LANE: Cell<usize> = const { Cell::new(SHARED) };
}

/// The set of counters that this thread uses.
#[must_use]
pub fn lane() -> usize {
    LANE.get()
}

/// A set of counters that a thread has for itself, until this is dropped, which is on that thread.
#[derive(Debug)]
pub struct OwnLane {
    lane: usize,
    /// Of one thread.
    _here: std::marker::PhantomData<*const ()>,
}

/// Gives this thread a set of counters of its own, if there is one left: it adds to it without asking other processors.
#[must_use]
pub fn own_lane() -> OwnLane {
    let lane = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or(SHARED);
    LANE.set(lane);
    OwnLane { lane, _here: std::marker::PhantomData }
}

impl Drop for OwnLane {
    fn drop(&mut self) {
        LANE.set(SHARED);
        if self.lane != SHARED {
            FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.lane);
        }
    }
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
        Self((0..*LANES).map(|_| Lane(std::array::from_fn(|_| AtomicU64::new(0)))).collect())
    }
}

impl<const N: usize> Counters<N> {
    pub(super) fn add(&self, counter: usize, amount: u64) {
        let lane = lane();
        let counter = &self.0[lane].0[counter];
        if lane == SHARED {
            counter.fetch_add(amount, Ordering::Relaxed);
        } else {
            // Nobody else writes to it.
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_whoever_counts() {
        let tally = Tally::default();
        let count = || (0..10_000).for_each(|_| tally.add(1));
        std::thread::scope(|scope| {
            for _ in 0..*LANES + 2 {
                scope.spawn(|| {
                    let _own = own_lane();
                    count();
                });
                scope.spawn(count);
            }
        });
        assert_eq!(tally.sum(), 20_000 * (*LANES as u64 + 2));
    }

    #[test]
    fn a_set_is_one_thread_s() {
        let own = own_lane();
        let other = std::thread::spawn(|| own_lane().lane).join().unwrap();
        assert!(own.lane == SHARED || own.lane != other);
        drop(own);
        assert_eq!(lane(), SHARED);
    }
}
