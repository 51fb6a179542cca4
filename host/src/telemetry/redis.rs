//! Counters of the servers that state is kept on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::counters::Counters;
use super::metrics::Page;
use super::names;

/// Counters of one store.
#[derive(Debug, Default)]
pub struct RedisMetrics {
    counters: Counters<3>,
    out: AtomicBool,
}

impl RedisMetrics {
    /// Something was asked.
    pub fn asked(&self) {
        self.counters.add(0, 1);
    }

    /// There was no answer.
    pub fn lost(&self) {
        self.counters.add(1, 1);
    }

    /// This process has answered in its place.
    pub fn stood_in(&self) {
        self.counters.add(2, 1);
    }

    /// Whether a worker has found it to be out, or back.
    pub fn set_out(&self, out: bool) {
        self.out.store(out, Ordering::Relaxed);
    }
}

pub(super) fn render(page: &mut Page, stores: &[(String, Arc<RedisMetrics>)]) {
    for (family, counter, help) in [
        (names::REDIS_REQUESTS, 0, "what was asked of a store for several gateways"),
        (names::REDIS_FAILURES, 1, "what such a store did not answer in time"),
        (names::REDIS_FALLBACKS, 2, "what this process has answered in the place of such a store"),
    ] {
        page.family(family, "counter", help);
        for (store, metrics) in stores {
            page.sample(family, &[("store", store)], metrics.counters.sum(counter));
        }
    }
    page.family(names::REDIS_UP, "gauge", "whether such a store answers, as the worker found that looked last");
    for (store, metrics) in stores {
        page.sample(names::REDIS_UP, &[("store", store)], u8::from(!metrics.out.load(Ordering::Relaxed)));
    }
}
