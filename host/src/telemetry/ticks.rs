//! Ticks of filters: what came of them, and how it stands.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use super::fault::FaultClass;
use super::metrics::{Page, seconds};
use super::names;

/// Counters of one policy's ticks; made with the first, as few policies have any.
#[derive(Debug, Default)]
pub struct TickMetrics(OnceLock<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    faults: [AtomicU64; FaultClass::ALL.len()],
    /// In microseconds.
    cpu: AtomicU64,
    status: Mutex<TickStatus>,
}

/// How ticks stand.
#[derive(Clone, Debug, Default)]
pub struct TickStatus {
    /// When one was done at last.
    pub done_at: Option<SystemTime>,
    /// How many have failed since then.
    pub failures: u64,
    /// Why the latest has failed, unless it was done.
    pub error: Option<String>,
}

impl TickMetrics {
    /// One was done. How many had failed before.
    pub fn done(&self) -> u64 {
        let counts = self.counts();
        counts.done.fetch_add(1, Ordering::Relaxed);
        let status = TickStatus { done_at: Some(SystemTime::now()), failures: 0, error: None };
        std::mem::replace(&mut *counts.status(), status).failures
    }

    /// One has failed.
    pub fn faulted(&self, class: FaultClass, message: String) {
        let counts = self.counts();
        counts.faults[class as usize].fetch_add(1, Ordering::Relaxed);
        let mut status = counts.status();
        status.failures += 1;
        status.error = Some(message);
    }

    /// What one took.
    pub fn took(&self, cpu: Duration) {
        let cpu = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        self.counts().cpu.fetch_add(cpu, Ordering::Relaxed);
    }

    /// How they stand.
    #[must_use]
    pub fn status(&self) -> TickStatus {
        self.0.get().map(|counts| counts.status().clone()).unwrap_or_default()
    }

    fn counts(&self) -> &Counts {
        self.0.get_or_init(Counts::default)
    }
}

impl Counts {
    fn status(&self) -> MutexGuard<'_, TickStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn render<'a>(page: &mut Page, policies: impl Iterator<Item = (&'a str, &'a TickMetrics)> + Clone) {
    let ticking = || policies.clone().filter_map(|(policy, metrics)| Some((policy, metrics.0.get()?)));
    page.family(
        names::FILTER_TICKS,
        "counter",
        "ticks of filters, by policy and outcome: done, or the class of a fault",
    );
    for (policy, counts) in ticking() {
        let faults = FaultClass::ALL.map(FaultClass::label).into_iter().zip(&counts.faults);
        for (outcome, count) in [("done", &counts.done)].into_iter().chain(faults) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 || outcome == "done" {
                page.sample(names::FILTER_TICKS, &[("policy", policy), ("outcome", outcome)], count);
            }
        }
    }
    page.family(names::FILTER_TICK_CPU, "counter", "CPU time of ticks of filters");
    for (policy, counts) in ticking() {
        page.sample(names::FILTER_TICK_CPU, &[("policy", policy)], seconds(counts.cpu.load(Ordering::Relaxed)));
    }
}
