//! `secrets`.

use wasmtime::{Linker, Result};

use super::{Host, guest, put_option, split};
use crate::sandbox::instance::HostState;

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    linker.func_wrap("tollgate:filter/secrets@0.1.0", "get", get)?;
    Ok(())
}

fn get(mut host: Host<'_>, name: u32, length: u32, result: u32) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let secret = state.secret(view.text(name, length)?);
    let list = secret.map(|secret| guest.give(&mut host, secret.bytes())).transpose()?;
    put_option(&guest, host, result, list)
}
