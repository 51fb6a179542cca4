//! `limiter`.

use wasmtime::{Linker, Result};

use super::{Host, guest, split};
use crate::sandbox::instance::HostState;
use crate::store::Limit;

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    linker.func_wrap("tollgate:filter/limiter@0.1.0", "take", take)?;
    Ok(())
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
