//! Rate limits.

use std::sync::Arc;

use wasmtime::{Result, bail};

use crate::sandbox::instance::HostState;
use crate::sandbox::meter::host_time;
use crate::store::{Decision, Limit};

impl HostState {
    /// Counts a request against a limit.
    pub(in crate::sandbox) fn take(&mut self, key: &[u8], limit: Limit, cost: u32) -> Result<Decision> {
        let _time = host_time();
        self.check_limit(limit, cost)?;
        Ok(self.decided().unwrap_or_else(|| self.limiter.take(key, limit, cost)))
    }

    /// As `take`, where the limits may be kept on a server.
    pub(in crate::sandbox) async fn take_far(&mut self, key: Vec<u8>, limit: Limit, cost: u32) -> Result<Decision> {
        self.check_limit(limit, cost)?;
        if let Some(decision) = self.decided() {
            return Ok(decision);
        }
        let (spaces, limiter) = (Arc::clone(&self.spaces), Arc::clone(&self.limiter));
        if spaces.remote().is_none() {
            return Ok(limiter.take(&key, limit, cost));
        }
        let decision = self.wait_for(move |_| {
            Box::pin(async move {
                match spaces.remote() {
                    Some(remote) => remote.take(&key, limit, cost, &limiter).await,
                    None => Ok(limiter.take(&key, limit, cost)),
                }
            })
        });
        Ok(decision.await??)
    }

    /// What is said without asking the limiter.
    fn decided(&self) -> Option<Decision> {
        self.sources.as_ref().and_then(|sources| sources.decision())
    }

    fn check_limit(&self, limit: Limit, cost: u32) -> Result<()> {
        if self.running.is_none() && !self.ticks {
            bail!("the limiter may not be called while no hook of an exchange runs, and no tick");
        }
        if limit.requests == 0 || limit.period_ms == 0 || limit.burst == 0 || cost == 0 {
            bail!(
                "a limit of {} requests per {} ms, burst {}, cost {cost}: each is at least 1",
                limit.requests,
                limit.period_ms,
                limit.burst
            );
        }
        Ok(())
    }
}
