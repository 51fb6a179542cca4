//! Metrics that filters define. What exists is found without a lock and counted on lines of each worker's own; only what is
//! new takes the lock.

mod definition;
mod series;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use papaya::HashMap;

pub use self::definition::{Definition, DefinitionError, Kind};
pub use self::series::{OtherKind, Series};
use super::metrics::Page;

/// How many metrics a policy may have, of all its versions.
const METRICS: usize = 32;
/// How many series a metric may have besides the one for all the rest.
const SERIES: usize = 100;
/// How long the value of a label may be, in bytes.
const VALUE: usize = 128;
/// What stands in the labels of the series for all the rest.
const OTHER: &str = "other";

/// The kinds of all names, over all policies: a name means one thing on the page.
pub(super) type Kinds = Arc<Mutex<BTreeMap<String, Kind>>>;

/// The metrics of one policy.
#[derive(Default)]
pub struct CustomMetrics {
    kinds: Kinds,
    metrics: HashMap<u32, Arc<Metric>>,
    series: HashMap<u32, Arc<Series>>,
    made: Mutex<Made>,
}

/// How much there is, and what is to be shown.
#[derive(Default)]
struct Made {
    metrics: u32,
    series: u32,
    /// By name and labels.
    known: BTreeMap<(String, Vec<String>), u32>,
}

/// A metric of one policy.
struct Metric {
    definition: Definition,
    /// By the values of the labels, joined by a character that they do not contain.
    ids: HashMap<Box<str>, u32>,
    count: AtomicUsize,
    /// The one for all the rest.
    other: u32,
}

/// A series with the values of its labels.
type Row = (Vec<String>, Arc<Series>);

impl CustomMetrics {
    pub(super) fn new(kinds: Kinds) -> Self {
        Self { kinds, ..Self::default() }
    }

    /// The number of the metric of that definition.
    ///
    /// # Errors
    /// If there is another of that name, or there are too many.
    pub fn define(&self, definition: Definition) -> Result<u32, DefinitionError> {
        let mut made = self.made();
        let key = (definition.name.clone(), definition.labels.clone());
        let known = made.known.get(&key).copied();
        if let Some(known) = known
            && self.metrics.pin().get(&known).is_some_and(|metric| metric.definition.same_as(&definition))
        {
            return Ok(known);
        }
        if made.metrics as usize >= METRICS {
            return Err(DefinitionError::TooMany);
        }
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        match kinds.get(&definition.name) {
            Some(kind) if *kind != definition.kind => return Err(DefinitionError::other_kind(*kind)),
            _ => drop(kinds.insert(definition.name.clone(), definition.kind)),
        }
        drop(kinds);
        let other = self.add_series(&mut made, Series::new(&definition));
        let id = made.metrics;
        made.metrics += 1;
        // One with other bounds takes the place of the one before.
        made.known.insert(key, id);
        let metric = Metric { definition, ids: HashMap::new(), count: AtomicUsize::new(0), other };
        self.metrics.pin().insert(id, Arc::new(metric));
        Ok(id)
    }

    /// The number of the series with these values; none if there is no such metric, or there are too many or too few values.
    pub fn get<'a>(&self, metric: u32, values: impl ExactSizeIterator<Item = &'a str>) -> Option<u32> {
        let metrics = self.metrics.pin();
        let metric = metrics.get(&metric)?;
        if values.len() != metric.definition.labels.len() {
            return None;
        }
        let key = joined(values);
        if let Some(known) = metric.ids.pin().get(&*key) {
            return Some(*known);
        }
        if metric.count.load(Ordering::Relaxed) >= SERIES {
            return Some(metric.other);
        }
        let mut made = self.made();
        let ids = metric.ids.pin();
        if let Some(known) = ids.get(&*key) {
            return Some(*known);
        }
        if metric.count.fetch_add(1, Ordering::Relaxed) >= SERIES {
            return Some(metric.other);
        }
        let id = self.add_series(&mut made, Series::new(&metric.definition));
        ids.insert(key.into(), id);
        Some(id)
    }

    /// Does something with a series; none if there is no such series.
    pub fn with<T>(&self, series: u32, count: impl FnOnce(&Series) -> T) -> Option<T> {
        self.series.pin().get(&series).map(|series| count(series))
    }

    fn add_series(&self, made: &mut Made, series: Series) -> u32 {
        let id = made.series;
        made.series += 1;
        self.series.pin().insert(id, Arc::new(series));
        id
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its metrics with their series, by name.
    fn shown(&self) -> Vec<(Arc<Metric>, Vec<Row>)> {
        let ids: Vec<u32> = self.made().known.values().copied().collect();
        let (metrics, all) = (self.metrics.pin(), self.series.pin());
        let shown = ids.iter().filter_map(|id| {
            let metric = metrics.get(id)?;
            let mut ids: Vec<(String, u32)> =
                metric.ids.pin().iter().map(|(values, id)| (values.to_string(), *id)).collect();
            ids.sort_unstable();
            if metric.count.load(Ordering::Relaxed) >= SERIES {
                ids.push((vec![OTHER; metric.definition.labels.len()].join(SEPARATOR), metric.other));
            }
            let series = |(values, id): (String, u32)| {
                let values = if values.is_empty() && metric.definition.labels.is_empty() {
                    Vec::new()
                } else {
                    values.split(SEPARATOR).map(str::to_owned).collect()
                };
                Some((values, Arc::clone(all.get(&id)?)))
            };
            Some((Arc::clone(metric), ids.into_iter().filter_map(series).collect()))
        });
        shown.collect()
    }
}

impl Debug for CustomMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomMetrics").finish_non_exhaustive()
    }
}

const SEPARATOR: &str = "\u{1f}";

fn joined<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let mut key = String::new();
    for (index, value) in values.enumerate() {
        if index > 0 {
            key.push_str(SEPARATOR);
        }
        let value = &value[..value.floor_char_boundary(VALUE)];
        key.extend(value.chars().filter(|c| !c.is_control()));
    }
    key
}

/// All metrics of all policies: each name once, whoever has it.
pub(super) fn render<'a>(page: &mut Page, policies: impl Iterator<Item = (&'a str, &'a CustomMetrics)>) {
    let mut by_name: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (policy, metrics) in policies {
        for (metric, series) in metrics.shown() {
            by_name.entry(metric.definition.full_name()).or_default().push((policy, metric, series));
        }
    }
    for (name, metrics) in &by_name {
        let Some((_, first, _)) = metrics.first() else { continue };
        page.family(name, first.definition.kind.label(), &first.definition.help);
        for (policy, metric, series) in metrics {
            for (values, series) in series {
                let mut labels = vec![("policy", *policy)];
                labels
                    .extend(metric.definition.labels.iter().map(String::as_str).zip(values.iter().map(String::as_str)));
                series.render(page, name, &labels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(kind: Kind, name: &str, labels: &[&str], buckets: &[f64]) -> Definition {
        Definition::new(kind, name, "help", labels.iter().copied(), buckets.to_vec()).unwrap()
    }

    fn page(metrics: &CustomMetrics) -> String {
        let mut page = Page::default();
        render(&mut page, [("p", metrics)].into_iter());
        page.into_text()
    }

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = CustomMetrics::default();
        let hits = metrics.define(definition(Kind::Counter, "hits_total", &["who"], &[])).unwrap();
        let level = metrics.define(definition(Kind::Gauge, "level", &[], &[])).unwrap();
        let sizes = metrics.define(definition(Kind::Histogram, "sizes", &[], &[1.0, 2.5])).unwrap();
        let series = |metric, values: &[&str]| metrics.get(metric, values.iter().copied()).unwrap();
        let hit = series(hits, &["a\"b"]);
        assert_eq!(hit, series(hits, &["a\"b"]));
        metrics.with(hit, |series| series.add(2)).unwrap().unwrap();
        metrics.with(series(level, &[]), |series| series.set(1.5).and_then(|()| series.adjust(-2.0))).unwrap().unwrap();
        for value in [0.5, 2.5, 7.0, f64::NAN] {
            metrics.with(series(sizes, &[]), |series| series.observe(value)).unwrap().unwrap();
        }
        let page = page(&metrics);
        for line in [
            "# TYPE tollgate_filter_hits_total counter",
            r#"tollgate_filter_hits_total{policy="p",who="a\"b"} 2"#,
            r#"tollgate_filter_level{policy="p"} -0.5"#,
            r#"tollgate_filter_sizes_bucket{policy="p",le="1"} 1"#,
            r#"tollgate_filter_sizes_bucket{policy="p",le="2.5"} 2"#,
            r#"tollgate_filter_sizes_bucket{policy="p",le="+Inf"} 3"#,
            r#"tollgate_filter_sizes_sum{policy="p"} 10"#,
            r#"tollgate_filter_sizes_count{policy="p"} 3"#,
        ] {
            assert!(page.lines().any(|found| found == line), "no {line} in {page}");
        }
    }

    #[test]
    fn series_beyond_the_bound_are_one() {
        let metrics = CustomMetrics::default();
        let hits = metrics.define(definition(Kind::Counter, "hits_total", &["a", "b"], &[])).unwrap();
        for number in 0..SERIES + 50 {
            let number = number.to_string();
            let series = metrics.get(hits, [number.as_str(), "b"].into_iter()).unwrap();
            metrics.with(series, |series| series.add(1)).unwrap().unwrap();
        }
        let page = page(&metrics);
        assert_eq!(page.lines().filter(|line| line.starts_with("tollgate_filter_hits_total{")).count(), SERIES + 1);
        assert!(page.contains(r#"tollgate_filter_hits_total{policy="p",a="other",b="other"} 50"#), "{page}");
    }

    #[test]
    fn a_name_has_one_kind_for_all() {
        let kinds = Kinds::default();
        let (one, two) = (CustomMetrics::new(Arc::clone(&kinds)), CustomMetrics::new(kinds));
        let id = one.define(definition(Kind::Counter, "a", &[], &[])).unwrap();
        assert_eq!(one.define(definition(Kind::Counter, "a", &[], &[])), Ok(id));
        assert!(matches!(two.define(definition(Kind::Gauge, "a", &[], &[])), Err(DefinitionError::Conflict(_))));
        for number in 1..METRICS {
            assert!(one.define(definition(Kind::Counter, &format!("a{number}"), &[], &[])).is_ok());
        }
        assert_eq!(one.define(definition(Kind::Counter, "more", &[], &[])), Err(DefinitionError::TooMany));
    }
}
