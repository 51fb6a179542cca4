//! `random`.

use wasmtime::{Linker, Result};

use super::{Host, guest, put_list};
use crate::sandbox::instance::HostState;

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    let random = "tollgate:filter/random@0.1.0";
    linker.func_wrap(random, "get-bytes", get_bytes)?;
    linker.func_wrap(random, "get-u64", |host: Host<'_>| host.data().random_number())?;
    Ok(())
}

fn get_bytes(mut host: Host<'_>, count: u32, result: u32) -> Result<()> {
    let guest = guest(&host)?;
    let bytes = host.data().random_bytes(count)?;
    let list = guest.give(&mut host, &bytes)?;
    put_list(&guest, host, result, list)
}
