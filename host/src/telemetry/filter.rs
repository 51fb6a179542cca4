//! Counters of policies' filters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::callouts::{self, CalloutMetrics};
use super::counters::Counters;
use super::custom::{CustomMetrics, Kinds};
use super::fault::FaultClass;
use super::feed::Feed;
use super::metrics::Page;
use super::names;
use super::pace::{LogBudget, LogPace};
use super::ticks::{self, TickMetrics};

const CALLS: usize = 0;
const REPLIES: usize = 1;
const QUARANTINES: usize = 2;
const QUARANTINED: usize = 3;
const RECYCLED: usize = 4;
const REFUSED: usize = 5;
const REMEMBERED: usize = 6;
const FIRST_FAULT: usize = 7;

/// Counters of one policy's filter.
#[derive(Debug, Default)]
pub struct FilterMetrics {
    counters: Counters<{ FIRST_FAULT + FaultClass::ALL.len() }>,
    memory: AtomicU64,
    in_quarantine: AtomicU64,
    /// The filter's own requests.
    pub callouts: CalloutMetrics,
    /// Its ticks.
    pub ticks: TickMetrics,
    log: LogPace,
    own_log: LogBudget,
    /// Who listens to its log and its faults.
    pub feed: Arc<Feed>,
    /// Those that the filter defines.
    pub custom: CustomMetrics,
}

impl FilterMetrics {
    pub(super) fn new(kinds: Kinds, feed: Arc<Feed>) -> Self {
        Self { custom: CustomMetrics::new(kinds), feed, ..Self::default() }
    }

    /// The filter writes a line: how many of its lines have been dropped before, or none if this one is.
    pub fn logs(&self) -> Option<u64> {
        self.own_log.admit()
    }

    /// A hook was called.
    pub fn called(&self) {
        self.counters.add(CALLS, 1);
    }

    /// A hook was not called, as its answer was remembered.
    pub fn remembered(&self) {
        self.counters.add(REMEMBERED, 1);
    }

    /// A hook answered the client itself.
    pub fn replied(&self) {
        self.counters.add(REPLIES, 1);
    }

    /// A hook faulted. Says whether this one should be logged: faults can come as often as requests, so one a second is.
    pub fn faulted(&self, class: FaultClass) -> Option<u64> {
        self.counters.add(FIRST_FAULT + class as usize, 1);
        self.log.admit()
    }

    /// Tells whoever listens about a fault, and keeps it for the page of faults if it is one that is logged.
    pub fn tell_fault(&self, policy: &str, is_logged: bool, event: impl FnOnce() -> Value) {
        self.feed.tell_fault(policy, is_logged, event);
    }

    /// The most memory that an instance has had, in bytes, as far as it was noted.
    #[must_use]
    pub fn memory_high_water(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }

    /// An instance has had that much memory.
    pub fn memory(&self, bytes: usize) {
        self.memory.fetch_max(bytes as u64, Ordering::Relaxed);
    }

    /// A worn instance was replaced.
    pub fn recycled(&self) {
        self.counters.add(RECYCLED, 1);
    }

    /// The filter is called no more, or again.
    pub fn set_in_quarantine(&self, is: bool) {
        self.in_quarantine.store(u64::from(is), Ordering::Relaxed);
        if is {
            self.counters.add(QUARANTINES, 1);
        }
    }

    /// An exchange was one too many for the policy.
    pub fn refused(&self) {
        self.counters.add(REFUSED, 1);
    }

    /// An exchange was not shown to the filter, for its quarantine.
    pub fn quarantined(&self) {
        self.counters.add(QUARANTINED, 1);
    }
}

/// All families of all filters.
pub(super) fn render_filters(page: &mut Page, filters: &[(String, Arc<FilterMetrics>)]) {
    let plain = [
        (REFUSED, names::FILTER_REFUSED, "exchanges answered with 503 because the policy had as many as it may have"),
        (RECYCLED, names::FILTER_RECYCLED, "instances replaced for their age or memory, by policy"),
        (CALLS, names::FILTER_CALLS, "hooks called, by policy"),
        (
            REMEMBERED,
            names::FILTER_REMEMBERED,
            "hooks not called as the answer to the same facts was remembered, by policy",
        ),
        (REPLIES, names::FILTER_REPLIES, "replies made by filters, by policy"),
        (QUARANTINES, names::FILTER_QUARANTINES, "how often a policy was put in quarantine for its faults"),
        (QUARANTINED, names::FILTER_QUARANTINED, "exchanges that a policy in quarantine has not seen"),
    ];
    for (counter, name, help) in plain {
        page.family(name, "counter", help);
        for (policy, metrics) in filters {
            page.sample(name, &[("policy", policy)], metrics.counters.sum(counter));
        }
    }
    page.family(names::FILTER_LOG_DROPPED, "counter", "lines that filters logged and that were too many");
    for (policy, metrics) in filters {
        page.sample(names::FILTER_LOG_DROPPED, &[("policy", policy)], metrics.own_log.dropped());
    }
    page.family(names::FILTER_FAULTS, "counter", "faults of filters, by policy and class");
    for (policy, metrics) in filters {
        for class in FaultClass::ALL {
            let count = metrics.counters.sum(FIRST_FAULT + class as usize);
            if count > 0 {
                page.sample(names::FILTER_FAULTS, &[("policy", policy), ("class", class.label())], count);
            }
        }
    }
    gauge(page, filters, names::FILTER_MEMORY, "the most memory that an instance of the policy had", |of| &of.memory);
    callouts::render(page, filters.iter().map(|(policy, metrics)| (policy.as_str(), &metrics.callouts)));
    ticks::render(page, filters.iter().map(|(policy, metrics)| (policy.as_str(), &metrics.ticks)));
    let help = "whether a policy is in quarantine for its faults";
    gauge(page, filters, names::FILTER_IN_QUARANTINE, help, |of| &of.in_quarantine);
}

fn gauge(
    page: &mut Page,
    filters: &[(String, Arc<FilterMetrics>)],
    name: &str,
    help: &str,
    value: fn(&FilterMetrics) -> &AtomicU64,
) {
    page.family(name, "gauge", help);
    for (policy, metrics) in filters {
        page.sample(name, &[("policy", policy)], value(metrics).load(Ordering::Relaxed));
    }
}
