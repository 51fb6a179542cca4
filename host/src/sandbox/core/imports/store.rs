//! `store`.

use wasmtime::{Linker, Result, bail};

use super::{Host, guest, split};
use crate::sandbox::bindings::tollgate::filter::store::Error;
use crate::sandbox::core::memory::Guest;
use crate::sandbox::instance::HostState;
use crate::store::StoreError;

type Outcome<T> = std::result::Result<T, StoreError>;

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    let store = "tollgate:filter/store@0.1.0";
    linker.func_wrap(store, "get", get)?;
    linker.func_wrap(store, "set", set)?;
    linker.func_wrap(store, "delete", delete)?;
    linker.func_wrap(store, "compare-and-swap", compare_and_swap)?;
    linker.func_wrap(store, "increment", increment)?;
    linker.func_wrap(store, "acquire", acquire)?;
    linker.func_wrap(store, "renew", renew)?;
    linker.func_wrap(store, "release", release)?;
    Ok(())
}

fn get(mut host: Host<'_>, space: u32, space_length: u32, key: u32, length: u32, result: u32) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let (space, key) = (view.text(space, space_length)?, view.bytes(key, length)?);
    let value = state.read_space(space, key, |space| space.get(key))?;
    // `result<option<list<u8>>, error>`: 16 bytes, aligned to four.
    let mut parts = [0; 16];
    match value {
        Err(error) => fail(&mut parts, 4, error),
        Ok(None) => {}
        Ok(Some(value)) => {
            let (at, length) = guest.give(&mut host, &value)?;
            parts[4] = 1;
            parts[8..12].copy_from_slice(&at.to_le_bytes());
            parts[12..].copy_from_slice(&length.to_le_bytes());
        }
    }
    guest.put(host, result, &parts)
}

#[allow(clippy::too_many_arguments, reason = "the canonical ABI flattens lists and adds the result's place")]
fn set(
    mut host: Host<'_>,
    space: u32,
    space_length: u32,
    key: u32,
    length: u32,
    value: u32,
    value_length: u32,
    ttl_ms: u64,
    result: u32,
) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let (space, key) = (view.text(space, space_length)?, view.bytes(key, length)?);
    let value = view.bytes(value, value_length)?;
    let set = state.write_space(space, key, |space| space.set(key, value, ttl_ms))?;
    put_flag(&guest, host, result, set.map(|()| false))
}

fn delete(mut host: Host<'_>, space: u32, space_length: u32, key: u32, length: u32, result: u32) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let (space, key) = (view.text(space, space_length)?, view.bytes(key, length)?);
    let deleted = state.write_space(space, key, |space| space.delete(key))?;
    put_flag(&guest, host, result, deleted)
}

#[allow(clippy::too_many_arguments, reason = "the canonical ABI flattens lists and adds the result's place")]
fn compare_and_swap(
    mut host: Host<'_>,
    space: u32,
    space_length: u32,
    key: u32,
    length: u32,
    is_expected: u32,
    expected: u32,
    expected_length: u32,
    value: u32,
    value_length: u32,
    ttl_ms: u64,
    result: u32,
) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let (space, key) = (view.text(space, space_length)?, view.bytes(key, length)?);
    let expected = match is_expected {
        0 => None,
        1 => Some(view.bytes(expected, expected_length)?),
        other => bail!("an option has no case {other}"),
    };
    let value = view.bytes(value, value_length)?;
    let swapped = state.write_space(space, key, |space| space.compare_and_swap(key, expected, value, ttl_ms))?;
    put_flag(&guest, host, result, swapped)
}

#[allow(clippy::too_many_arguments, reason = "the canonical ABI flattens lists and adds the result's place")]
fn increment(
    mut host: Host<'_>,
    space: u32,
    space_length: u32,
    key: u32,
    length: u32,
    by: i64,
    ttl_ms: u64,
    result: u32,
) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let (space, key) = (view.text(space, space_length)?, view.bytes(key, length)?);
    let count = state.write_space(space, key, |space| space.increment(key, by, ttl_ms))?;
    // `result<s64, error>`: 16 bytes, aligned to eight.
    let mut parts = [0; 16];
    match count {
        Err(error) => fail(&mut parts, 8, error),
        Ok(count) => parts[8..].copy_from_slice(&count.to_le_bytes()),
    }
    guest.put(host, result, &parts)
}

fn acquire(mut host: Host<'_>, space: u32, space_length: u32, key: u32, length: u32, ttl: u64, at: u32) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let (space, key) = (view.text(space, space_length)?, view.bytes(key, length)?);
    let token = state.write_space(space, key, |space| space.acquire(key, ttl))?;
    // `result<option<u64>, error>`: 24 bytes, aligned to eight.
    let mut parts = [0; 24];
    match token {
        Err(error) => fail(&mut parts, 8, error),
        Ok(None) => {}
        Ok(Some(token)) => {
            parts[8] = 1;
            parts[16..].copy_from_slice(&token.to_le_bytes());
        }
    }
    guest.put(host, at, &parts)
}

#[allow(clippy::too_many_arguments, reason = "the canonical ABI flattens lists and adds the result's place")]
fn renew(
    mut host: Host<'_>,
    space: u32,
    space_length: u32,
    key: u32,
    length: u32,
    token: u64,
    ttl_ms: u64,
    result: u32,
) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let (space, key) = (view.text(space, space_length)?, view.bytes(key, length)?);
    let renewed = state.write_space(space, key, |space| space.renew(key, token, ttl_ms))?;
    put_flag(&guest, host, result, renewed)
}

fn release(
    mut host: Host<'_>,
    space: u32,
    space_length: u32,
    key: u32,
    length: u32,
    token: u64,
    at: u32,
) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let (space, key) = (view.text(space, space_length)?, view.bytes(key, length)?);
    let released = state.write_space(space, key, |space| space.release(key, token))?;
    put_flag(&guest, host, at, released)
}

/// `result<bool, error>` or `result<_, error>`: two bytes.
fn put_flag(guest: &Guest, host: Host<'_>, result: u32, outcome: Outcome<bool>) -> Result<()> {
    let mut parts = [0; 2];
    match outcome {
        Err(error) => fail(&mut parts, 1, error),
        Ok(flag) => parts[1] = u8::from(flag),
    }
    guest.put(host, result, &parts)
}

/// The error of a result whose value stands at `payload`.
fn fail(parts: &mut [u8], payload: usize, error: StoreError) {
    parts[0] = 1;
    // The cases of the enumeration in its order.
    parts[payload] = Error::from(error) as u8;
}
