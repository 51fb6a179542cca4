//! The stand-in's metrics.

use crate::bindings::tollgate::filter::metrics::{Definition, Error, Kind};

/// How many metrics a policy may have, and series each of them.
const METRICS: usize = 32;
const SERIES: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Metrics {
    metrics: Vec<Definition>,
    series: Vec<Series>,
}

#[derive(Debug)]
struct Series {
    metric: usize,
    values: Vec<String>,
    counted: Vec<f64>,
}

impl Metrics {
    pub(super) fn define(&mut self, definition: &Definition) -> Result<u32, Error> {
        check(definition)?;
        let same = |known: &Definition| known.name == definition.name && known.labels == definition.labels;
        if let Some(known) = self.metrics.iter().position(same) {
            return if self.metrics[known].kind == definition.kind {
                Ok(known as u32)
            } else {
                Err(Error::Conflict(format!("{:?} is of another kind", definition.name)))
            };
        }
        if self.metrics.len() >= METRICS {
            return Err(Error::TooMany);
        }
        self.metrics.push(definition.clone());
        Ok((self.metrics.len() - 1) as u32)
    }

    pub(super) fn series(&mut self, metric: u32, values: &[String]) -> u32 {
        let metric = metric as usize;
        let labels = self.metrics.get(metric).map(|definition| definition.labels.len());
        assert_eq!(labels, Some(values.len()), "trap: metric {metric} has other labels");
        let find = |all: &[Series], values: &[String]| {
            all.iter().position(|series| series.metric == metric && series.values == values)
        };
        let full = self.series.iter().filter(|series| series.metric == metric).count() >= SERIES;
        let values = match find(&self.series, values) {
            None if full => vec!["other".to_owned(); values.len()],
            _ => values.to_vec(),
        };
        let found = find(&self.series, &values).unwrap_or_else(|| {
            self.series.push(Series { metric, values, counted: Vec::new() });
            self.series.len() - 1
        });
        found as u32
    }

    pub(super) fn count(&mut self, series: u32, kind: Kind, value: f64, replace: bool) {
        let series = self.series.get_mut(series as usize).expect("trap: there is no such series");
        assert_eq!(self.metrics[series.metric].kind, kind, "trap: the metric is of another kind");
        if replace {
            series.counted.clear();
        }
        if value.is_finite() {
            series.counted.push(value);
        }
    }

    pub(super) fn counted(&self, name: &str, values: &[&str]) -> Vec<f64> {
        let is_it = |series: &&Series| self.metrics[series.metric].name == name && series.values == values;
        self.series.iter().find(is_it).map(|series| series.counted.clone()).unwrap_or_default()
    }
}

fn check(definition: &Definition) -> Result<(), Error> {
    let names = std::iter::once(&definition.name).chain(&definition.labels);
    if let Some(wrong) = names.into_iter().find(|name| !is_name(name)) {
        return Err(Error::Invalid(format!("{wrong:?} is not a name")));
    }
    let grows = definition.buckets.windows(2).all(|pair| pair[0] < pair[1]);
    if definition.labels.len() > 4 || definition.buckets.len() > 16 || !grows {
        return Err(Error::Invalid("at most 4 labels, and 16 buckets each greater than the one before".into()));
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(rest)
}
