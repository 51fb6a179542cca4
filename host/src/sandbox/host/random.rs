//! Random numbers, from the kernel.

use rustix::rand::{GetRandomFlags, getrandom};
use wasmtime::{Result, bail};

use crate::sandbox::instance::HostState;
use crate::sandbox::meter::host_time;

/// How many bytes there are at once.
const MOST: u32 = 1 << 10;

impl HostState {
    /// So many random bytes.
    pub(in crate::sandbox) fn random_bytes(&self, count: u32) -> Result<Vec<u8>> {
        let _time = host_time();
        if !self.grants.random {
            bail!("the policy is not granted random numbers; write grants = {{ random = true }}");
        }
        if !self.is_configured {
            bail!(
                "random numbers are not given while a filter is configured: its instances may all begin with the same"
            );
        }
        if count > MOST {
            bail!("{count} random bytes at once are more than {MOST}");
        }
        self.unforeseen(count as usize)
    }

    /// A random number.
    pub(in crate::sandbox) fn random_number(&self) -> Result<u64> {
        let bytes = self.random_bytes(8)?;
        Ok(bytes.into_iter().fold(0, |number, byte| number << 8 | u64::from(byte)))
    }
}

impl HostState {
    /// So many bytes that nobody can foresee, except in tests of filters.
    pub(in crate::sandbox) fn unforeseen(&self, count: usize) -> Result<Vec<u8>> {
        match &self.sources {
            Some(sources) => Ok(sources.random(count)),
            None => random(count),
        }
    }
}

/// Reads that are this small are not cut short, except for signals while the kernel has not gathered any randomness yet.
fn random(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while filled < count {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(more) => filled += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => bail!("the system has no random numbers: {error}"),
        }
    }
    Ok(bytes)
}
