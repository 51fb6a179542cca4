//! `metrics`.

use wasmtime::{Linker, Result, bail};

use super::{Host, guest, split};
use crate::sandbox::core::layout;
use crate::sandbox::instance::HostState;
use crate::telemetry::{DefinitionError, Kind};

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    let metrics = "tollgate:filter/metrics@0.1.0";
    linker.func_wrap(metrics, "define", define)?;
    linker.func_wrap(metrics, "get", get)?;
    linker.func_wrap(metrics, "add", |mut host: Host<'_>, series: u32, amount: u64| {
        host.data_mut().count(series, |series| series.add(amount))
    })?;
    linker.func_wrap(metrics, "set", |mut host: Host<'_>, series: u32, value: f64| {
        host.data_mut().count(series, |series| series.set(value))
    })?;
    linker.func_wrap(metrics, "adjust", |mut host: Host<'_>, series: u32, by: f64| {
        host.data_mut().count(series, |series| series.adjust(by))
    })?;
    linker.func_wrap(metrics, "observe", |mut host: Host<'_>, series: u32, value: f64| {
        host.data_mut().count(series, |series| series.observe(value))
    })?;
    Ok(())
}

#[allow(clippy::too_many_arguments, reason = "the canonical ABI flattens the record and adds the result's place")]
fn define(
    mut host: Host<'_>,
    kind: u32,
    name: u32,
    name_length: u32,
    help: u32,
    help_length: u32,
    labels: u32,
    label_count: u32,
    buckets: u32,
    bucket_count: u32,
    result: u32,
) -> Result<()> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    // More than there may be are refused for that; they need not be read.
    let labels = layout::texts(view, labels, label_count)?.take(64).collect::<Result<Vec<_>>>()?;
    let buckets = layout::numbers(view, buckets, bucket_count)?;
    let (name, help) = (view.text(name, name_length)?, view.text(help, help_length)?);
    let defined = state.define_metric(self::kind(kind)?, name, help, labels.into_iter(), buckets);
    let mut parts = [0; 16];
    match defined {
        Ok(metric) => parts[4..8].copy_from_slice(&metric.to_le_bytes()),
        Err(error) => {
            let (case, message) = match error {
                DefinitionError::Invalid(message) => (0, message),
                DefinitionError::Conflict(message) => (1, message),
                DefinitionError::TooMany => (2, String::new()),
            };
            let (at, length) = guest.give(&mut host, message.as_bytes())?;
            (parts[0], parts[4]) = (1, case);
            parts[8..12].copy_from_slice(&at.to_le_bytes());
            parts[12..].copy_from_slice(&length.to_le_bytes());
        }
    }
    guest.put(host, result, &parts)
}

fn get(mut host: Host<'_>, metric: u32, values: u32, count: u32) -> Result<u32> {
    let guest = guest(&host)?;
    let (view, state) = split(&guest, &mut host);
    let values = layout::texts(view, values, count)?.collect::<Result<smallvec::SmallVec<[&str; 4]>>>()?;
    state.metric_series(metric, values.into_iter())
}

fn kind(kind: u32) -> Result<Kind> {
    match kind {
        0 => Ok(Kind::Counter),
        1 => Ok(Kind::Gauge),
        2 => Ok(Kind::Histogram),
        other => bail!("there is no kind {other} of metric"),
    }
}
