//! `limiter`.

use wasmtime::Result;

use crate::sandbox::bindings::tollgate::filter::limiter;
use crate::sandbox::instance::HostState;
use crate::store::{Decision, Limit};

impl limiter::Host for HostState {
    fn take(&mut self, key: Vec<u8>, limit: limiter::Limit, cost: u32) -> Result<limiter::Decision> {
        let limit = Limit { requests: limit.requests, period_ms: limit.period_ms, burst: limit.burst };
        Self::take(self, &key, limit, cost).map(limiter::Decision::from)
    }
}

impl From<Decision> for limiter::Decision {
    fn from(decision: Decision) -> Self {
        Self {
            allowed: decision.allowed,
            remaining: decision.remaining,
            retry_after_ms: decision.retry_after_ms,
            reset_after_ms: decision.reset_after_ms,
        }
    }
}
