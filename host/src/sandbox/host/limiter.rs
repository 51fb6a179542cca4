//! Rate limits.

use wasmtime::{Result, bail};

use crate::sandbox::instance::HostState;
use crate::sandbox::meter::host_time;
use crate::store::{Decision, Limit};

impl HostState {
    /// Counts a request against a limit.
    pub(in crate::sandbox) fn take(&mut self, key: &[u8], limit: Limit, cost: u32) -> Result<Decision> {
        let _time = host_time();
        if self.running.is_none() {
            bail!("the limiter may not be called while no hook of an exchange runs");
        }
        if limit.requests == 0 || limit.period_ms == 0 || limit.burst == 0 || cost == 0 {
            bail!(
                "a limit of {} requests per {} ms, burst {}, cost {cost}: each is at least 1",
                limit.requests,
                limit.period_ms,
                limit.burst
            );
        }
        Ok(self.limiter.take(key, limit, cost))
    }
}
