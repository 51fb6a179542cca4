//! Rate limits that hold across workers: GCRA cells in a concurrent map, one compare-and-swap a request and no lock.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use papaya::HashMap;

use super::Clock;

/// How many keys a policy can have that are not idle. Keys beyond it share one cell, which can only make a limit
/// stricter.
const MAX_KEYS: usize = 1 << 20;

/// A rate with a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Requests per period, at least 1.
    pub requests: u32,
    /// The period in milliseconds, at least 1.
    pub period_ms: u64,
    /// How many may come at once, at least 1.
    pub burst: u32,
}

/// What the limiter says to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is within the limit.
    pub allowed: bool,
    /// How many more of cost 1 would be allowed now.
    pub remaining: u32,
    /// Milliseconds, rounded up, until one of the same cost is allowed.
    pub retry_after_ms: u64,
    /// Milliseconds, rounded up, until the burst is whole again.
    pub reset_after_ms: u64,
}

/// The cells of one policy. Lives as long as any version of the policy does, so limits survive a reload.
#[derive(Debug)]
pub struct Limiter {
    /// Key digest to theoretical arrival time, in nanoseconds of `clock`.
    cells: HashMap<u64, AtomicU64, BuildHasherDefault<DigestHasher>>,
    overflow: AtomicU64,
    digests: RandomState,
    clock: Clock,
}

impl Default for Limiter {
    fn default() -> Self {
        Self::by(Clock::default())
    }
}

impl Limiter {
    /// Without any keys, by that clock.
    #[must_use]
    pub fn by(clock: Clock) -> Self {
        Self { cells: HashMap::default(), overflow: AtomicU64::new(0), digests: RandomState::new(), clock }
    }

    /// Counts a request of `cost` against `key`, now.
    pub fn take(&self, key: &[u8], limit: Limit, cost: u32) -> Decision {
        self.take_at(key, limit, cost, self.now())
    }

    /// Forgets the keys that have their whole burst again. Called now and then, off the request path.
    pub fn sweep(&self) {
        let now = self.now();
        self.cells.pin().retain(|_, cell| cell.load(Ordering::Relaxed) > now);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn take_at(&self, key: &[u8], limit: Limit, cost: u32, now: u64) -> Decision {
        let digest = self.digest(key);
        let cells = self.cells.pin();
        if let Some(cell) = cells.get(&digest) {
            return take_from(cell, limit, cost, now);
        }
        if cells.len() >= MAX_KEYS {
            return take_from(&self.overflow, limit, cost, now);
        }
        take_from(cells.get_or_insert_with(digest, || AtomicU64::new(0)), limit, cost, now)
    }

    /// Keyed, so that no client can choose keys that collide. That any two of a million do by chance is as likely as one in
    /// thirty million, and would make their limit stricter.
    fn digest(&self, key: &[u8]) -> u64 {
        self.digests.hash_one(key)
    }
}

/// The generic cell rate algorithm on one cell.
fn take_from(cell: &AtomicU64, limit: Limit, cost: u32, now: u64) -> Decision {
    let period = limit.period_ms.max(1).saturating_mul(1_000_000);
    let interval = (period / u64::from(limit.requests.max(1))).max(1);
    let tolerance = interval.saturating_mul(u64::from(limit.burst.max(1)));
    let increment = interval.saturating_mul(u64::from(cost.max(1)));

    let mut seen = cell.load(Ordering::Relaxed);
    loop {
        let arrival = seen.max(now);
        let next = arrival.saturating_add(increment);
        let allowed_at = next.saturating_sub(tolerance);
        if allowed_at > now {
            return decision(false, arrival, allowed_at - now, interval, tolerance, now);
        }
        match cell.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return decision(true, next, 0, interval, tolerance, now),
            Err(current) => seen = current,
        }
    }
}

fn decision(allowed: bool, arrival: u64, wait: u64, interval: u64, tolerance: u64, now: u64) -> Decision {
    let debt = arrival.saturating_sub(now);
    let remaining = tolerance.saturating_sub(debt) / interval;
    Decision {
        allowed,
        remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
        retry_after_ms: wait.div_ceil(1_000_000),
        reset_after_ms: debt.div_ceil(1_000_000),
    }
}

/// The keys of the map are digests already.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_ne_bytes(word);
        }
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER_SECOND: Limit = Limit { requests: 10, period_ms: 1_000, burst: 3 };
    const MS: u64 = 1_000_000;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let limiter = Limiter::default();
        let remaining: Vec<_> = (0..3).map(|_| limiter.take_at(b"a", PER_SECOND, 1, 0).remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = limiter.take_at(b"a", PER_SECOND, 1, 0);
        assert_eq!(refused, Decision { allowed: false, remaining: 0, retry_after_ms: 100, reset_after_ms: 300 });
        assert!(!limiter.take_at(b"a", PER_SECOND, 1, 99 * MS).allowed);
        assert!(limiter.take_at(b"a", PER_SECOND, 1, 100 * MS).allowed);
        assert!(!limiter.take_at(b"a", PER_SECOND, 1, 100 * MS).allowed);
    }

    #[test]
    fn keys_do_not_share_a_limit() {
        let limiter = Limiter::default();
        while limiter.take_at(b"a", PER_SECOND, 1, 0).allowed {}
        assert!(limiter.take_at(b"b", PER_SECOND, 1, 0).allowed);
    }

    #[test]
    fn a_cost_above_the_burst_is_never_allowed() {
        let limiter = Limiter::default();
        assert!(!limiter.take_at(b"a", PER_SECOND, 4, 0).allowed);
        assert!(limiter.take_at(b"a", PER_SECOND, 3, 0).allowed);
    }

    #[test]
    fn threads_together_never_get_more_than_the_burst() {
        let limiter = Limiter::default();
        let limit = Limit { requests: 1, period_ms: 3_600_000, burst: 1_000 };
        let allowed: usize = std::thread::scope(|scope| {
            let count = || (0..1_000).filter(|_| limiter.take(b"k", limit, 1).allowed).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(allowed, 1_000);
    }

    #[test]
    fn a_sweep_forgets_idle_keys_only() {
        let limiter = Limiter::default();
        limiter.take(b"idle", Limit { requests: u32::MAX, period_ms: 1, burst: 1 }, 1);
        limiter.take(b"busy", Limit { requests: 1, period_ms: 3_600_000, burst: 1 }, 1);
        while limiter.cells.len() != 1 {
            limiter.sweep();
        }
        assert!(!limiter.take(b"busy", Limit { requests: 1, period_ms: 3_600_000, burst: 1 }, 1).allowed);
    }
}
