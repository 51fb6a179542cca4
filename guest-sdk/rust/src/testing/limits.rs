//! The stand-in's rate limiter: a GCRA per key, on a clock that only the test moves.

use std::collections::BTreeMap;

use crate::limiter::{Decision, Limit};

const NANOSECONDS_PER_MS: u128 = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Limits {
    now: u128,
    /// For each key the theoretical arrival time of the next request.
    due: BTreeMap<Vec<u8>, u128>,
}

impl Limits {
    pub(super) fn advance(&mut self, nanoseconds: u128) {
        self.now += nanoseconds;
    }

    /// Nanoseconds that the test has let pass.
    pub(super) fn now(&self) -> u64 {
        self.now as u64
    }

    pub(super) fn take(&mut self, key: &[u8], limit: Limit, cost: u32) -> Decision {
        assert!(
            limit.requests > 0 && limit.period_ms > 0 && limit.burst > 0 && cost > 0,
            "trap: limiter.take with a zero: {limit:?}, cost {cost}"
        );
        let interval = u128::from(limit.period_ms) * NANOSECONDS_PER_MS / u128::from(limit.requests);
        let tolerance = interval * u128::from(limit.burst);
        let due = self.due.entry(key.to_vec()).or_default();
        let after = (*due).max(self.now) + interval * u128::from(cost);
        let allowed = after <= self.now + tolerance;
        if allowed {
            *due = after;
        }
        let used = due.saturating_sub(self.now);
        Decision {
            allowed,
            remaining: (tolerance.saturating_sub(used) / interval.max(1)) as u32,
            retry_after_ms: if allowed { 0 } else { milliseconds(after - self.now - tolerance) },
            reset_after_ms: milliseconds(used),
        }
    }
}

fn milliseconds(nanoseconds: u128) -> u64 {
    nanoseconds.div_ceil(NANOSECONDS_PER_MS) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_request_per_interval() {
        let limit = Limit { requests: 2, period_ms: 1000, burst: 3 };
        let mut limits = Limits::default();
        let remaining: Vec<_> = (0..3).map(|_| limits.take(b"a", limit, 1).remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = limits.take(b"a", limit, 1);
        assert_eq!((refused.allowed, refused.retry_after_ms, refused.reset_after_ms), (false, 500, 1500));
        assert!(limits.take(b"b", limit, 1).allowed);
        limits.advance(500 * NANOSECONDS_PER_MS);
        assert!(limits.take(b"a", limit, 1).allowed && !limits.take(b"a", limit, 1).allowed);
    }
}
