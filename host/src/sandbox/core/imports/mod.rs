//! The imports of a core module, by the canonical ABI: a file for each interface. What they do is in `sandbox/host/`.

mod clock;
mod exchange;
mod limiter;
mod log;
mod metrics;
mod random;
mod secrets;
mod store;

use std::sync::Arc;

use wasmtime::{Caller, Linker, Result, format_err};

use super::memory::{Guest, View};
use crate::sandbox::instance::HostState;

type Host<'a> = Caller<'a, HostState>;

/// Defines every import of the interface.
pub(in crate::sandbox) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    clock::link(linker)?;
    exchange::link(linker)?;
    limiter::link(linker)?;
    log::link(linker)?;
    metrics::link(linker)?;
    random::link(linker)?;
    secrets::link(linker)?;
    store::link(linker)
}

fn guest(host: &Host<'_>) -> Result<Arc<Guest>> {
    host.data().guest.clone().ok_or_else(|| format_err!("an import was called before the guest was initialised"))
}

fn split<'a>(guest: &Guest, host: &'a mut Host<'_>) -> (View<'a>, &'a mut HostState) {
    let (memory, state) = guest.memory.data_and_store_mut(host);
    (View(memory), state)
}

/// Writes a list as the result that a guest waits for.
fn put_list(guest: &Guest, host: Host<'_>, result: u32, (at, length): (u32, u32)) -> Result<()> {
    let mut parts = [0; 8];
    parts[..4].copy_from_slice(&at.to_le_bytes());
    parts[4..].copy_from_slice(&length.to_le_bytes());
    guest.put(host, result, &parts)
}

/// As `put_list`, of a list that there may not be.
fn put_option(guest: &Guest, host: Host<'_>, result: u32, list: Option<(u32, u32)>) -> Result<()> {
    let mut parts = [0; 12];
    if let Some((at, length)) = list {
        parts[0] = 1;
        parts[4..8].copy_from_slice(&at.to_le_bytes());
        parts[8..].copy_from_slice(&length.to_le_bytes());
    }
    guest.put(host, result, &parts)
}
