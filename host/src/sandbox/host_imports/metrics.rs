//! `metrics`.

use wasmtime::Result;

use crate::sandbox::bindings::tollgate::filter::metrics::{self, Definition, Error, Kind as GuestKind};
use crate::sandbox::instance::HostState;
use crate::telemetry::{DefinitionError, Kind};

impl metrics::Host for HostState {
    fn define(&mut self, definition: Definition) -> Result<std::result::Result<u32, Error>> {
        let Definition { kind, name, help, labels, buckets } = definition;
        let labels = labels.iter().map(String::as_str);
        let defined = self.define_metric(self::kind(kind), &name, &help, labels, buckets);
        Ok(defined.map_err(error))
    }

    fn get(&mut self, metric: u32, values: Vec<String>) -> Result<u32> {
        self.metric_series(metric, values.iter().map(String::as_str))
    }

    fn add(&mut self, series: u32, amount: u64) -> Result<()> {
        self.count(series, |series| series.add(amount))
    }

    fn set(&mut self, series: u32, value: f64) -> Result<()> {
        self.count(series, |series| series.set(value))
    }

    fn adjust(&mut self, series: u32, by: f64) -> Result<()> {
        self.count(series, |series| series.adjust(by))
    }

    fn observe(&mut self, series: u32, value: f64) -> Result<()> {
        self.count(series, |series| series.observe(value))
    }
}

fn kind(kind: GuestKind) -> Kind {
    match kind {
        GuestKind::Counter => Kind::Counter,
        GuestKind::Gauge => Kind::Gauge,
        GuestKind::Histogram => Kind::Histogram,
    }
}

fn error(error: DefinitionError) -> Error {
    match error {
        DefinitionError::Invalid(message) => Error::Invalid(message),
        DefinitionError::Conflict(message) => Error::Conflict(message),
        DefinitionError::TooMany => Error::TooMany,
    }
}
