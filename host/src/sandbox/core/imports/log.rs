//! `log`.

use wasmtime::{Linker, Result, bail};

use super::{Host, guest, split};
use crate::sandbox::bindings::tollgate::filter::log::Level;
use crate::sandbox::core::layout;
use crate::sandbox::host::ATTRIBUTES;
use crate::sandbox::instance::HostState;

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    linker.func_wrap("tollgate:filter/log@0.1.0", "write", write)?;
    Ok(())
}

fn write(mut host: Host<'_>, level: u32, text: u32, length: u32, attributes: u32, count: u32) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let level = match level {
        0 => Level::Error,
        1 => Level::Warn,
        2 => Level::Info,
        3 => Level::Debug,
        other => bail!("there is no log level {other}"),
    };
    // Others than the first are dropped, however many there are.
    let attributes = layout::pairs(view, attributes, count)?.take(ATTRIBUTES).collect::<Result<Vec<_>>>()?;
    state.log(level, view.text(text, length)?, attributes);
    Ok(())
}
