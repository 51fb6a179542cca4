//! `exchange`.

use wasmtime::{Linker, Result, bail};

use super::{Host, guest, put_list, put_option, split};
use crate::message::Message;
use crate::sandbox::core::layout;
use crate::sandbox::instance::HostState;

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    let exchange = "tollgate:filter/exchange@0.1.0";
    linker.func_wrap(exchange, "get", get)?;
    linker.func_wrap(exchange, "get-all", get_all)?;
    linker.func_wrap(exchange, "fields", fields)?;
    linker.func_wrap(exchange, "apply", apply)?;
    Ok(())
}

fn get(mut host: Host<'_>, id: u32, of: u32, name: u32, length: u32, result: u32) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let value = state.fact(id, message(of)?, view.text(name, length)?)?;
    let list = value.map(|value| guest.give(&mut host, &value)).transpose()?;
    put_option(&guest, host, result, list)
}

fn get_all(mut host: Host<'_>, id: u32, of: u32, name: u32, length: u32, result: u32) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let values = state.values(id, message(of)?, view.text(name, length)?)?;
    let list = guest.give_lists(&mut host, &values)?;
    put_list(&guest, host, result, list)
}

fn fields(mut host: Host<'_>, id: u32, of: u32, result: u32) -> Result<()> {
    let guest = guest(&host)?;
    let fields = host.data_mut().all_fields(id, message(of)?)?;
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let list = guest.give_fields(&mut host, &fields)?;
    put_list(&guest, host, result, list)
}

fn apply(mut host: Host<'_>, id: u32, start: u32, count: u32, result: u32) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let applied = state.apply(id, layout::edits(view, start, count)?)?;
    let mut parts = [0; 12];
    if let Err(error) = applied {
        let (at, length) = guest.give(&mut host, error.as_bytes())?;
        parts[0] = 1;
        parts[4..8].copy_from_slice(&at.to_le_bytes());
        parts[8..].copy_from_slice(&length.to_le_bytes());
    }
    guest.put(host, result, &parts)
}

fn message(of: u32) -> Result<Message> {
    match of {
        0 => Ok(Message::Request),
        1 => Ok(Message::Response),
        other => bail!("there is no message {other}"),
    }
}
