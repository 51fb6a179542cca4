//! `clock`.

use wasmtime::{Linker, Result};

use super::Host;
use crate::sandbox::instance::HostState;

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    let clock = "tollgate:filter/clock@0.1.0";
    linker.func_wrap(clock, "now", |host: Host<'_>| host.data().wall_clock())?;
    linker.func_wrap(clock, "monotonic", |host: Host<'_>| host.data().monotonic_clock())?;
    Ok(())
}
