//! The imports of a core module, by the canonical ABI. What they do is in `host.rs`.

use std::sync::Arc;

use wasmtime::{Caller, Linker, Result, bail, format_err};

use super::layout;
use super::memory::{Guest, View};
use crate::message::Message;
use crate::sandbox::bindings::tollgate::filter::log::Level;
use crate::sandbox::instance::HostState;
use crate::sandbox::limiter::Limit;

type Host<'a> = Caller<'a, HostState>;

pub(in crate::sandbox) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    let exchange = "tollgate:filter/exchange@0.1.0";
    linker.func_wrap(exchange, "get", get)?;
    linker.func_wrap(exchange, "get-all", get_all)?;
    linker.func_wrap(exchange, "fields", fields)?;
    linker.func_wrap(exchange, "apply", apply)?;
    linker.func_wrap("tollgate:filter/limiter@0.1.0", "take", take)?;
    linker.func_wrap("tollgate:filter/log@0.1.0", "write", write)?;
    Ok(())
}

fn get(mut host: Host<'_>, id: u32, of: u32, name: u32, length: u32, result: u32) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let value = state.fact(id, message(of)?, view.text(name, length)?)?;
    let mut parts = [0; 12];
    if let Some(value) = value {
        let (at, length) = guest.give(&mut host, &value)?;
        parts[0] = 1;
        parts[4..8].copy_from_slice(&at.to_le_bytes());
        parts[8..].copy_from_slice(&length.to_le_bytes());
    }
    guest.put(host, result, &parts)
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

#[allow(clippy::too_many_arguments, reason = "the canonical ABI flattens the record and adds the result's place")]
fn take(
    mut host: Host<'_>,
    key: u32,
    length: u32,
    requests: u32,
    period_ms: u64,
    burst: u32,
    cost: u32,
    result: u32,
) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let decision = state.take(view.bytes(key, length)?, Limit { requests, period_ms, burst }, cost)?;
    let mut parts = [0; 24];
    parts[0] = u8::from(decision.allowed);
    parts[4..8].copy_from_slice(&decision.remaining.to_le_bytes());
    parts[8..16].copy_from_slice(&decision.retry_after_ms.to_le_bytes());
    parts[16..].copy_from_slice(&decision.reset_after_ms.to_le_bytes());
    guest.put(host, result, &parts)
}

fn write(mut host: Host<'_>, level: u32, text: u32, length: u32) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let level = match level {
        0 => Level::Error,
        1 => Level::Warn,
        2 => Level::Info,
        3 => Level::Debug,
        other => bail!("there is no log level {other}"),
    };
    state.log(level, view.text(text, length)?.to_owned());
    Ok(())
}

fn guest(host: &Host<'_>) -> Result<Arc<Guest>> {
    host.data().guest.clone().ok_or_else(|| format_err!("an import was called before the guest was initialised"))
}

fn split<'a>(guest: &Guest, host: &'a mut Host<'_>) -> (View<'a>, &'a mut HostState) {
    let (memory, state) = guest.memory.data_and_store_mut(host);
    (View(memory), state)
}

fn put_list(guest: &Guest, host: Host<'_>, result: u32, (at, length): (u32, u32)) -> Result<()> {
    let mut parts = [0; 8];
    parts[..4].copy_from_slice(&at.to_le_bytes());
    parts[4..].copy_from_slice(&length.to_le_bytes());
    guest.put(host, result, &parts)
}

fn message(of: u32) -> Result<Message> {
    match of {
        0 => Ok(Message::Request),
        1 => Ok(Message::Response),
        other => bail!("there is no message {other}"),
    }
}
