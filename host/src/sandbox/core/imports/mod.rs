//! The imports of a core module, by the canonical ABI: a file for each interface. What they do is in `sandbox/host/`.

mod exchange;
mod limiter;
mod log;
mod metrics;
mod store;

use std::sync::Arc;

use wasmtime::{Caller, Linker, Result, format_err};

use super::memory::{Guest, View};
use crate::sandbox::instance::HostState;

type Host<'a> = Caller<'a, HostState>;

/// Defines every import of the interface.
pub(in crate::sandbox) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    exchange::link(linker)?;
    limiter::link(linker)?;
    log::link(linker)?;
    metrics::link(linker)?;
    store::link(linker)
}

fn guest(host: &Host<'_>) -> Result<Arc<Guest>> {
    host.data().guest.clone().ok_or_else(|| format_err!("an import was called before the guest was initialised"))
}

fn split<'a>(guest: &Guest, host: &'a mut Host<'_>) -> (View<'a>, &'a mut HostState) {
    let (memory, state) = guest.memory.data_and_store_mut(host);
    (View(memory), state)
}
