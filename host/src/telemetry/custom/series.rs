//! One series of a filter's metric.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::counters::{Counters, Tally};
use super::super::metrics::Page;
use super::definition::{BUCKETS, Definition, Kind};

/// Beyond the last bound.
const BEYOND: usize = BUCKETS;
/// The sum of all values, as bits of a floating-point number.
const SUM: usize = BEYOND + 1;

/// What is counted with one set of labels.
pub enum Series {
    /// A counter.
    Counter(Tally),
    /// A gauge, as bits. The one kind that workers share a line of: the latest value counts, whoever has set it.
    Gauge(AtomicU64),
    /// A histogram.
    Histogram(Histogram),
}

/// Counts of values by bounds.
pub struct Histogram {
    bounds: Box<[f64]>,
    counts: Counters<{ SUM + 1 }>,
}

/// It is of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a metric is not of the kind that was asked for")]
pub struct OtherKind;

impl Series {
    pub(super) fn new(definition: &Definition) -> Self {
        match definition.kind {
            Kind::Counter => Self::Counter(Tally::default()),
            Kind::Gauge => Self::Gauge(AtomicU64::new(0f64.to_bits())),
            Kind::Histogram => Self::Histogram(Histogram {
                bounds: definition.buckets.clone().into_boxed_slice(),
                counts: Counters::default(),
            }),
        }
    }

    /// Adds to a counter.
    ///
    /// # Errors
    /// If it is none.
    pub fn add(&self, amount: u64) -> Result<(), OtherKind> {
        let Self::Counter(count) = self else { return Err(OtherKind) };
        count.add(amount);
        Ok(())
    }

    /// Sets a gauge.
    ///
    /// # Errors
    /// If it is none.
    pub fn set(&self, value: f64) -> Result<(), OtherKind> {
        let Self::Gauge(gauge) = self else { return Err(OtherKind) };
        if value.is_finite() {
            gauge.store(value.to_bits(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Changes a gauge.
    ///
    /// # Errors
    /// If it is none.
    pub fn adjust(&self, by: f64) -> Result<(), OtherKind> {
        let Self::Gauge(gauge) = self else { return Err(OtherKind) };
        let changed =
            |bits| Some((f64::from_bits(bits) + by).to_bits()).filter(|bits| f64::from_bits(*bits).is_finite());
        // What would not be finite is ignored.
        let _ = gauge.fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
        Ok(())
    }

    /// Counts a value.
    ///
    /// # Errors
    /// If it is no histogram.
    pub fn observe(&self, value: f64) -> Result<(), OtherKind> {
        let Self::Histogram(Histogram { bounds, counts }) = self else { return Err(OtherKind) };
        if value.is_finite() {
            counts.add(bounds.iter().position(|bound| value <= *bound).unwrap_or(BEYOND), 1);
            counts.add_float(SUM, value);
        }
        Ok(())
    }

    pub(super) fn render(&self, page: &mut Page, name: &str, labels: &[(&str, &str)]) {
        match self {
            Self::Counter(count) => page.sample(name, labels, count.sum()),
            Self::Gauge(bits) => page.sample(name, labels, f64::from_bits(bits.load(Ordering::Relaxed))),
            Self::Histogram(histogram) => histogram.render(page, name, labels),
        }
    }
}

impl Histogram {
    fn render(&self, page: &mut Page, name: &str, labels: &[(&str, &str)]) {
        let bucket = format!("{name}_bucket");
        let mut count = 0;
        let bounds = self.bounds.iter().enumerate().map(|(index, bound)| (index, bound.to_string()));
        for (index, bound) in bounds.chain([(BEYOND, "+Inf".to_owned())]) {
            count += self.counts.sum(index);
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            page.sample(&bucket, &labels, count);
        }
        page.sample(&format!("{name}_sum"), labels, self.counts.sum_float(SUM));
        page.sample(&format!("{name}_count"), labels, count);
    }
}
