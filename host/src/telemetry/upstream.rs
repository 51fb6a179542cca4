//! Counters of upstreams and of their endpoints.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::counters::Counters;
use super::metrics::Page;
use super::names;
use super::pace::LogPace;

/// Counters of one upstream.
#[derive(Debug, Default)]
pub struct UpstreamMetrics {
    counters: Counters<10>,
    log: LogPace,
    resolution_log: LogPace,
    endpoints: Mutex<BTreeMap<String, Weak<EndpointMetrics>>>,
    known: AtomicUsize,
    usable: AtomicUsize,
    panic: AtomicBool,
}

const RETRIES: usize = 3;
const REJECTIONS: [(usize, &str); 2] = [(4, "requests"), (5, "connections")];
const EJECTIONS: usize = 6;
const CHECKS: [(usize, &str); 2] = [(7, "good"), (8, "bad")];
const RESOLUTION_FAILURES: usize = 9;

impl UpstreamMetrics {
    /// A request was to be sent.
    pub fn requested(&self) {
        self.counters.add(0, 1);
    }

    /// A connection was opened.
    pub fn connected(&self) {
        self.counters.add(1, 1);
    }

    /// A request got no response. Says whether to log this one, as `FilterMetrics::faulted`.
    pub fn failed(&self) -> Option<u64> {
        self.counters.add(2, 1);
        self.log.admit()
    }

    /// A request was sent again.
    pub fn retried(&self) {
        self.counters.add(RETRIES, 1);
    }

    /// A request was turned away by a bound.
    pub fn rejected(&self, bound: &str) {
        for (counter, _) in REJECTIONS.iter().filter(|(_, label)| *label == bound) {
            self.counters.add(*counter, 1);
        }
    }

    /// An endpoint was ejected.
    pub fn ejected(&self) {
        self.counters.add(EJECTIONS, 1);
    }

    /// An endpoint has answered a check, or has not.
    pub fn checked(&self, good: bool) {
        self.counters.add(CHECKS[usize::from(!good)].0, 1);
    }

    /// A name was not found. Says whether to log this one.
    pub fn not_found(&self) -> Option<u64> {
        self.counters.add(RESOLUTION_FAILURES, 1);
        self.resolution_log.admit()
    }

    /// How many endpoints there are, to how many of them requests go, and whether that is all because too few are well.
    pub fn set_endpoints(&self, known: usize, usable: usize, panic: bool) {
        self.known.store(known, Ordering::Relaxed);
        self.usable.store(usable, Ordering::Relaxed);
        self.panic.store(panic, Ordering::Relaxed);
    }

    /// The counters of an endpoint. They are shown for as long as somebody holds them.
    pub fn endpoint(&self, address: &str) -> Arc<EndpointMetrics> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = endpoints.get(address).and_then(Weak::upgrade) {
            return known;
        }
        endpoints.retain(|_, metrics| metrics.strong_count() > 0);
        let metrics = Arc::new(EndpointMetrics::default());
        endpoints.insert(address.to_owned(), Arc::downgrade(&metrics));
        metrics
    }

    fn endpoints(&self) -> Vec<(String, Arc<EndpointMetrics>)> {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.iter().filter_map(|(address, metrics)| Some((address.clone(), metrics.upgrade()?))).collect()
    }
}

/// Counters of one endpoint.
#[derive(Debug, Default)]
pub struct EndpointMetrics {
    counters: Counters<2>,
    up: AtomicBool,
}

impl EndpointMetrics {
    /// A request was sent, and failed or not.
    pub fn requested(&self, failed: bool) {
        self.counters.add(0, 1);
        if failed {
            self.counters.add(1, 1);
        }
    }

    /// Whether requests go to it.
    pub fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }

    /// How many requests were sent to it.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.counters.sum(0)
    }

    /// How many of them failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.counters.sum(1)
    }

    /// Whether requests go to it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }
}

/// All families of all upstreams.
pub(super) fn render_upstreams(page: &mut Page, upstreams: &[(String, Arc<UpstreamMetrics>)]) {
    let plain = [
        (0, names::UPSTREAM_REQUESTS, "requests sent to an upstream"),
        (1, names::UPSTREAM_CONNECTS, "connections opened to an upstream"),
        (2, names::UPSTREAM_FAILURES, "requests that an upstream did not answer"),
        (RETRIES, names::UPSTREAM_RETRIES, "requests that were sent again"),
        (EJECTIONS, names::UPSTREAM_EJECTIONS, "endpoints left out because they failed requests"),
        (RESOLUTION_FAILURES, names::UPSTREAM_RESOLUTION_FAILURES, "names that were not found"),
    ];
    for (counter, name, help) in plain {
        page.family(name, "counter", help);
        for (upstream, metrics) in upstreams {
            page.sample(name, &[("upstream", upstream)], metrics.counters.sum(counter));
        }
    }
    labelled(page, upstreams, names::UPSTREAM_REJECTIONS, "requests turned away by a bound", "bound", &REJECTIONS);
    labelled(page, upstreams, names::UPSTREAM_CHECKS, "health checks by answer", "answer", &CHECKS);
    render_sets(page, upstreams);
    render_endpoints(page, upstreams);
}

fn labelled(
    page: &mut Page,
    upstreams: &[(String, Arc<UpstreamMetrics>)],
    name: &str,
    help: &str,
    label: &str,
    counters: &[(usize, &str)],
) {
    page.family(name, "counter", help);
    for (upstream, metrics) in upstreams {
        for (counter, value) in counters {
            page.sample(name, &[("upstream", upstream), (label, value)], metrics.counters.sum(*counter));
        }
    }
}

fn render_sets(page: &mut Page, upstreams: &[(String, Arc<UpstreamMetrics>)]) {
    page.family(names::UPSTREAM_ENDPOINTS, "gauge", "endpoints that are known, and those that requests go to");
    for (upstream, metrics) in upstreams {
        for (state, count) in [("known", &metrics.known), ("usable", &metrics.usable)] {
            let labels = [("upstream", upstream.as_str()), ("state", state)];
            page.sample(names::UPSTREAM_ENDPOINTS, &labels, count.load(Ordering::Relaxed));
        }
    }
    page.family(names::UPSTREAM_PANIC, "gauge", "whether all endpoints are used because too few are well");
    for (upstream, metrics) in upstreams {
        let panic = u8::from(metrics.panic.load(Ordering::Relaxed));
        page.sample(names::UPSTREAM_PANIC, &[("upstream", upstream)], panic);
    }
}

fn render_endpoints(page: &mut Page, upstreams: &[(String, Arc<UpstreamMetrics>)]) {
    let mut family = |name: &str, kind: &str, help: &str, value: fn(&EndpointMetrics) -> u64| {
        page.family(name, kind, help);
        for (upstream, metrics) in upstreams {
            for (endpoint, metrics) in metrics.endpoints() {
                page.sample(name, &[("upstream", upstream), ("endpoint", &endpoint)], value(&metrics));
            }
        }
    };
    family(names::ENDPOINT_REQUESTS, "counter", "requests sent to an endpoint", EndpointMetrics::requests);
    family(names::ENDPOINT_FAILURES, "counter", "requests that an endpoint failed", EndpointMetrics::failures);
    family(names::ENDPOINT_UP, "gauge", "whether requests go to an endpoint", |metrics| u64::from(metrics.is_up()));
}
