//! Metrics that filters define.

use wasmtime::{Result, format_err};

use crate::sandbox::instance::HostState;
use crate::sandbox::meter::host_time;
use crate::telemetry::{Definition, DefinitionError, Kind, OtherKind, Series};

impl HostState {
    /// The number of a metric.
    pub(in crate::sandbox) fn define_metric<'a>(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        labels: impl Iterator<Item = &'a str>,
        buckets: Vec<f64>,
    ) -> std::result::Result<u32, DefinitionError> {
        let _time = host_time();
        self.metrics.custom.define(Definition::new(kind, name, help, labels, buckets)?)
    }

    /// The number of a series.
    pub(in crate::sandbox) fn metric_series<'a>(
        &mut self,
        metric: u32,
        values: impl ExactSizeIterator<Item = &'a str>,
    ) -> Result<u32> {
        let _time = host_time();
        let count = values.len();
        let series = self.metrics.custom.get(metric, values);
        series.ok_or_else(|| format_err!("there is no metric {metric} with {count} labels"))
    }

    /// Counts in a series.
    pub(in crate::sandbox) fn count(
        &mut self,
        series: u32,
        count: impl FnOnce(&Series) -> std::result::Result<(), OtherKind>,
    ) -> Result<()> {
        let _time = host_time();
        let counted = self.metrics.custom.with(series, count);
        Ok(counted.ok_or_else(|| format_err!("there is no series {series}"))??)
    }
}
