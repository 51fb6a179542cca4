//! Clocks.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasmtime::{Result, bail};

use crate::sandbox::instance::HostState;
use crate::sandbox::meter::host_time;

/// Where the monotonic clock of all filters begins.
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl HostState {
    /// Nanoseconds since the Unix epoch.
    pub(in crate::sandbox) fn wall_clock(&self) -> Result<u64> {
        let _time = host_time();
        self.may_use_clocks()?;
        if let Some(sources) = &self.sources {
            return Ok(sources.wall_clock());
        }
        Ok(nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()))
    }

    /// Nanoseconds since some moment of this process.
    pub(in crate::sandbox) fn monotonic_clock(&self) -> Result<u64> {
        let _time = host_time();
        self.may_use_clocks()?;
        if let Some(sources) = &self.sources {
            return Ok(sources.monotonic_clock());
        }
        Ok(nanoseconds(BEGIN.elapsed().as_nanos()))
    }

    /// Who imports the interface without the grant is not loaded; this is for those who find another way here.
    fn may_use_clocks(&self) -> Result<()> {
        if !self.grants.clock {
            bail!("the policy is not granted clocks; write grants = {{ clock = true }}");
        }
        Ok(())
    }
}

fn nanoseconds(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
