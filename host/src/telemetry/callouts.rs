//! Requests that filters have made of their own.

use std::sync::OnceLock;
use std::time::Duration;

use super::counters::Counters;
use super::metrics::{Page, seconds};
use super::names;

/// How many results there can be.
const RESULTS: usize = 16;

/// Counters of one policy's callouts; made when it makes the first, as few policies do.
#[derive(Debug, Default)]
pub struct CalloutMetrics(OnceLock<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// By result, then the time that all took, in microseconds.
    counters: Counters<{ RESULTS + 1 }>,
    labels: [OnceLock<&'static str>; RESULTS],
}

impl CalloutMetrics {
    /// One has ended.
    pub fn ended(&self, result: &'static str, after: Duration) {
        let counts = self.0.get_or_init(Counts::default);
        let place = counts.labels.iter().position(|label| *label.get_or_init(|| result) == result);
        counts.counters.add(place.unwrap_or(RESULTS - 1), 1);
        counts.counters.add(RESULTS, u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
    }

    fn by_result(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.0.get().into_iter();
        counts.flat_map(|counts| {
            let named = counts.labels.iter().enumerate();
            named.filter_map(|(place, label)| Some((*label.get()?, counts.counters.sum(place))))
        })
    }
}

pub(super) fn render<'a>(page: &mut Page, policies: impl Iterator<Item = (&'a str, &'a CalloutMetrics)> + Clone) {
    page.family(names::CALLOUTS, "counter", "requests that filters have made of their own, by policy and result");
    for (policy, metrics) in policies.clone() {
        for (result, count) in metrics.by_result() {
            page.sample(names::CALLOUTS, &[("policy", policy), ("result", result)], count);
        }
    }
    page.family(names::CALLOUT_SECONDS, "counter", "how long they took, all together");
    for (policy, metrics) in policies {
        if let Some(counts) = metrics.0.get() {
            page.sample(names::CALLOUT_SECONDS, &[("policy", policy)], seconds(counts.counters.sum(RESULTS)));
        }
    }
}
