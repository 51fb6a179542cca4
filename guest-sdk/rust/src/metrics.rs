//! Counters, gauges and histograms on the gateway's `/metrics`, as `tollgate_filter_NAME` with the label `policy`.
//!
//! Metrics are defined in [`check`](crate::Filter::check), kept in fields that are not part of the configuration, and counted in
//! hooks:
//!
//! ```
//! use tollgate_filter::metrics::{By, Counter};
//! use tollgate_filter::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Greeter {
//!     #[serde(skip)]
//!     greeted: By<Counter>,
//! }
//!
//! #[filter]
//! impl Filter for Greeter {
//!     fn check(&mut self) -> Result<(), String> {
//!         self.greeted = metrics::counter_by("greeted_total", "requests by language", ["language"])?;
//!         Ok(())
//!     }
//!
//!     fn on_request(&self, request: &mut Request<'_>) -> Outcome {
//!         let language = if request.field("accept-language").is_some() { "said" } else { "unknown" };
//!         self.greeted.of([language]).add(1);
//!         Ok(Next::Forward)
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! A metric has 100 series at most, whatever clients send; the others are counted as one, with `other` for each label. A series
//! may be kept and used again, which saves the look-up. Before it is defined a metric counts nothing.

use std::fmt;
use std::marker::PhantomData;

use crate::bindings::tollgate::filter::metrics::{Definition, Error, Kind};
use crate::host;

/// Why a metric could not be defined.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DefineError {
    /// It breaks a rule: a name that is none, too many labels, buckets out of order.
    Invalid(String),
    /// The name is in use for another kind, in this policy or another, or by the gateway itself.
    Conflict(String),
    /// The policy has 32 metrics already.
    TooMany,
}

/// What only grows. Its name ends in `_total` by convention.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter(Option<u32>);

/// What goes up and down.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauge(Option<u32>);

/// How often values were within bounds, and their sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Histogram(Option<u32>);

/// A metric with labels: one series for each set of their values.
#[derive(Clone, Copy, Debug)]
pub struct By<M> {
    metric: Option<u32>,
    kind: PhantomData<M>,
}

impl Counter {
    /// Adds to it.
    pub fn add(&self, amount: u64) {
        if let Some(series) = self.0 {
            host::add_to_counter(series, amount);
        }
    }
}

impl Gauge {
    /// Sets it. What is not a finite number is ignored.
    pub fn set(&self, value: f64) {
        if let Some(series) = self.0 {
            host::set_gauge(series, value);
        }
    }

    /// Changes it by an amount, which may be negative.
    pub fn adjust(&self, by: f64) {
        if let Some(series) = self.0 {
            host::adjust_gauge(series, by);
        }
    }
}

impl Histogram {
    /// Adds a value. What is not a finite number is ignored.
    pub fn observe(&self, value: f64) {
        if let Some(series) = self.0 {
            host::observe(series, value);
        }
    }
}

/// A kind of metric.
pub trait Metric: From<Option<u32>> {}

impl<M: Metric> By<M> {
    /// The series with these values, in the order of the labels. Another number of values is a fault that costs the instance.
    #[must_use]
    pub fn of(&self, values: impl IntoIterator<Item = impl Into<String>>) -> M {
        let values = || values.into_iter().map(Into::into).collect::<Vec<_>>();
        self.metric.map(|metric| host::series(metric, &values())).into()
    }
}

impl<M> Default for By<M> {
    fn default() -> Self {
        Self { metric: None, kind: PhantomData }
    }
}

/// Defines a counter without labels.
///
/// # Errors
///
/// If there cannot be one of that name.
pub fn counter(name: &str, help: &str) -> Result<Counter, DefineError> {
    plain(Kind::Counter, name, help, &[])
}

/// Defines a counter with labels, at most 4.
///
/// # Errors
///
/// If there cannot be one of that name or with these labels.
pub fn counter_by<'a>(name: &str, help: &str, labels: impl AsRef<[&'a str]>) -> Result<By<Counter>, DefineError> {
    by(Kind::Counter, name, help, labels.as_ref(), &[])
}

/// Defines a gauge without labels.
///
/// # Errors
///
/// If there cannot be one of that name.
pub fn gauge(name: &str, help: &str) -> Result<Gauge, DefineError> {
    plain(Kind::Gauge, name, help, &[])
}

/// Defines a gauge with labels, at most 4.
///
/// # Errors
///
/// If there cannot be one of that name or with these labels.
pub fn gauge_by<'a>(name: &str, help: &str, labels: impl AsRef<[&'a str]>) -> Result<By<Gauge>, DefineError> {
    by(Kind::Gauge, name, help, labels.as_ref(), &[])
}

/// Defines a histogram without labels. `buckets` are upper bounds, at most 16, each greater than the one before; none for
/// the usual ones, from 0.0005 to 10 (as seconds).
///
/// # Errors
///
/// If there cannot be one of that name or with these buckets.
pub fn histogram(name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, DefineError> {
    plain(Kind::Histogram, name, help, buckets)
}

/// Defines a histogram with labels, at most 4, and buckets as [`histogram`] has them.
///
/// # Errors
///
/// If there cannot be one of that name, with these labels or with these buckets.
pub fn histogram_by<'a>(
    name: &str,
    help: &str,
    labels: impl AsRef<[&'a str]>,
    buckets: &[f64],
) -> Result<By<Histogram>, DefineError> {
    by(Kind::Histogram, name, help, labels.as_ref(), buckets)
}

fn plain<M: Metric>(kind: Kind, name: &str, help: &str, buckets: &[f64]) -> Result<M, DefineError> {
    by::<M>(kind, name, help, &[], buckets).map(|metric| metric.of([] as [&str; 0]))
}

fn by<M>(kind: Kind, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> Result<By<M>, DefineError> {
    let owned = |text: &&str| (*text).to_owned();
    let (labels, buckets) = (labels.iter().map(owned).collect(), buckets.to_vec());
    let definition = Definition { kind, name: name.to_owned(), help: help.to_owned(), labels, buckets };
    let metric = host::define(&definition).map_err(|error| match error {
        Error::Invalid(message) => DefineError::Invalid(message),
        Error::Conflict(message) => DefineError::Conflict(message),
        Error::TooMany => DefineError::TooMany,
    })?;
    Ok(By { metric: Some(metric), kind: PhantomData })
}

macro_rules! metrics {
    ($($kind:ident),*) => {
        $(
            impl From<Option<u32>> for $kind {
                fn from(series: Option<u32>) -> Self {
                    Self(series)
                }
            }

            impl Metric for $kind {}
        )*
    };
}

metrics!(Counter, Gauge, Histogram);

impl fmt::Display for DefineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(message) | Self::Conflict(message) => f.write_str(message),
            Self::TooMany => f.write_str("the policy has as many metrics as it may have"),
        }
    }
}

impl std::error::Error for DefineError {}

impl From<DefineError> for String {
    fn from(error: DefineError) -> Self {
        error.to_string()
    }
}
