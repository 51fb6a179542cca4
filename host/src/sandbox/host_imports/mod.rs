//! The imports of a component, through the generated bindings: a file for each interface. What they do is in `sandbox/host/`.

mod callout;
mod clock;
mod exchange;
pub(super) mod far;
mod limiter;
mod log;
mod metrics;
mod random;
mod secrets;
mod store;

use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

use super::bindings;
use super::bindings::tollgate::filter::types;
use super::instance::HostState;

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    bindings::Filter::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
}

impl types::Host for HostState {}
