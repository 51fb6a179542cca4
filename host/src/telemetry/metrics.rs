//! The metrics, as counted by workers and as shown to Prometheus (text format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::cost::{self, CostMetrics};
use super::counters::Counters;
use super::custom::{self, Kinds};
use super::downstream::DownstreamMetrics;
use super::feed::Feed;
use super::filter::{FilterMetrics, render_filters};
use super::mirror::{self, MirrorMetrics};
use super::pace::LogPace;
use super::reasons::Reasons;
use super::redis::{self, RedisMetrics};
use super::refusal::{Refusal, Refusals};
use super::registry::RegistryMetrics;
use super::store::{self, SpaceMetrics};
use super::trace::TraceMetrics;
use super::trial::{self, TrialMetrics};
use super::tunnels::TunnelMetrics;
use super::upstream::{UpstreamMetrics, render_upstreams};
use super::{memory, names, panics};

/// All metrics of a gateway. Lives across reloads, so counters never go back.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Those without labels.
    pub gateway: GatewayMetrics,
    /// Those of upgraded connections.
    pub tunnels: TunnelMetrics,
    /// What clients did wrong before there was a request.
    pub downstream: DownstreamMetrics,
    /// Those of traces.
    pub traces: Arc<TraceMetrics>,
    /// Those of modules in registries.
    pub registries: Arc<RegistryMetrics>,
    /// What filters log and their faults, for whoever listens.
    pub feed: Arc<Feed>,
    routes: Mutex<BTreeMap<String, Arc<RouteMetrics>>>,
    filters: Mutex<BTreeMap<String, Arc<FilterMetrics>>>,
    kinds: Kinds,
    costs: Mutex<BTreeMap<(String, String), Arc<CostMetrics>>>,
    upstreams: Mutex<BTreeMap<String, Arc<UpstreamMetrics>>>,
    mirrors: Mutex<BTreeMap<String, Arc<MirrorMetrics>>>,
    stores: Mutex<BTreeMap<String, Arc<RedisMetrics>>>,
    spaces: Mutex<BTreeMap<String, Arc<SpaceMetrics>>>,
    trials: Mutex<BTreeMap<String, Arc<TrialMetrics>>>,
}

impl Metrics {
    /// The counters of a route.
    pub fn route(&self, name: &str) -> Arc<RouteMetrics> {
        entry(&self.routes, name)
    }

    /// The counters of a policy's filter.
    pub fn filter(&self, policy: &str) -> Arc<FilterMetrics> {
        let mut filters = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = || Arc::new(FilterMetrics::new(Arc::clone(&self.kinds), Arc::clone(&self.feed)));
        Arc::clone(filters.entry(policy.to_owned()).or_insert_with(metrics))
    }

    /// What a policy's filter costs on a route.
    pub fn cost(&self, policy: &str, route: &str) -> Arc<CostMetrics> {
        let mut costs = self.costs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(costs.entry((policy.to_owned(), route.to_owned())).or_default())
    }

    /// The counters of an upstream.
    pub fn upstream(&self, name: &str) -> Arc<UpstreamMetrics> {
        entry(&self.upstreams, name)
    }

    /// The counters of the copies of a route's requests.
    pub fn mirror(&self, route: &str) -> Arc<MirrorMetrics> {
        entry(&self.mirrors, route)
    }

    /// The counters of a store on a server.
    pub fn redis(&self, store: &str) -> Arc<RedisMetrics> {
        entry(&self.stores, store)
    }

    /// The counters of a space that filters keep state in.
    pub fn space(&self, name: &str) -> Arc<SpaceMetrics> {
        entry(&self.spaces, name)
    }

    /// The counters of a policy's trials.
    pub fn trial(&self, policy: &str) -> Arc<TrialMetrics> {
        entry(&self.trials, policy)
    }

    /// Everything, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = Page::default();
        self.gateway.render(&mut page);
        self.tunnels.render(&mut page);
        self.downstream.render(&mut page);
        page.family(names::TRACE_SPANS, "counter", "spans by whether the collector got them");
        for (outcome, count) in [("sent", &self.traces.sent), ("dropped", &self.traces.dropped)] {
            page.sample(names::TRACE_SPANS, &[("outcome", outcome)], count.sum());
        }
        self.registries.render(&mut page);
        render_routes(&mut page, &all(&self.routes));
        let filters = all(&self.filters);
        render_filters(&mut page, &filters);
        cost::render(&mut page, &self.costs());
        custom::render(&mut page, filters.iter().map(|(policy, metrics)| (policy.as_str(), &metrics.custom)));
        render_upstreams(&mut page, &all(&self.upstreams));
        mirror::render(&mut page, &all(&self.mirrors));
        redis::render(&mut page, &all(&self.stores));
        store::render(&mut page, &all(&self.spaces));
        trial::render(&mut page, &self.trials.lock().unwrap_or_else(PoisonError::into_inner));
        page.0
    }
}

impl Metrics {
    fn costs(&self) -> Vec<((String, String), Arc<CostMetrics>)> {
        let costs = self.costs.lock().unwrap_or_else(PoisonError::into_inner);
        costs.iter().map(|(of, costs)| (of.clone(), Arc::clone(costs))).collect()
    }
}

type Family<T> = Mutex<BTreeMap<String, Arc<T>>>;

fn entry<T: Default>(family: &Family<T>, name: &str) -> Arc<T> {
    let mut family = family.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(family.entry(name.to_owned()).or_default())
}

fn all<T>(family: &Family<T>) -> Vec<(String, Arc<T>)> {
    let family = family.lock().unwrap_or_else(PoisonError::into_inner);
    family.iter().map(|(name, metrics)| (name.clone(), Arc::clone(metrics))).collect()
}

/// Counters of the gateway as a whole.
#[derive(Debug, Default)]
pub struct GatewayMetrics {
    counters: Counters<6>,
    refusals: Refusals,
    invalid: Reasons,
    reloads: [AtomicU64; 2],
    generation: AtomicU64,
    instances: AtomicU64,
    last_known_good: AtomicU64,
    distrusted: AtomicU64,
    snapshots: AtomicU64,
    cut_for_age: AtomicU64,
    log: LogPace,
}

impl GatewayMetrics {
    /// A downstream connection was accepted.
    pub fn connection_opened(&self) {
        self.counters.add(0, 1);
    }

    /// A downstream connection ended.
    pub fn connection_closed(&self) {
        self.counters.add(1, 1);
    }

    /// A connection could not be accepted. Says whether to log this one, as `FilterMetrics::faulted`.
    pub fn accept_error(&self) -> Option<u64> {
        self.counters.add(2, 1);
        self.log.admit()
    }

    /// A connection was closed instead of served, or a request answered instead of forwarded. Says whether to log this one,
    /// as `FilterMetrics::faulted`.
    pub fn refused(&self, refusal: Refusal) -> Option<u64> {
        self.refusals.count(refusal);
        self.log.admit()
    }

    /// An exchange began.
    pub fn exchange_opened(&self) {
        self.counters.add(3, 1);
    }

    /// An exchange ended, its response sent or not.
    pub fn exchange_closed(&self) {
        self.counters.add(4, 1);
    }

    /// A request was answered before a route was found.
    pub fn unrouted(&self) {
        self.counters.add(5, 1);
    }

    /// A request was not passed on, because it could be read in more than one way.
    pub fn invalid(&self, reason: usize, label: &'static str) {
        self.invalid.count(reason, label);
    }

    /// A change of configuration went live, or was rejected.
    pub fn reloaded(&self, live: bool) {
        self.reloads[usize::from(live)].fetch_add(1, Ordering::Relaxed);
    }

    /// The generation that serves now.
    pub fn set_generation(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// How many instances of filters there are.
    pub fn set_instances(&self, instances: u64) {
        self.instances.store(instances, Ordering::Relaxed);
    }

    /// Whether what served before the start serves in the place of a configuration that is no good.
    pub fn set_last_known_good(&self, does: bool) {
        self.last_known_good.store(u64::from(does), Ordering::Relaxed);
    }

    /// How many policies serve in a version that would be refused now.
    pub fn set_distrusted(&self, policies: usize) {
        self.distrusted.store(policies as u64, Ordering::Relaxed);
    }

    /// How many snapshots there are: the one that serves, and those that exchanges began on and go on with.
    pub fn set_snapshots(&self, snapshots: usize) {
        self.snapshots.store(snapshots as u64, Ordering::Relaxed);
    }

    /// Exchanges were cut because what they began on is served no longer.
    pub fn cut_for_age(&self, exchanges: u32) {
        self.cut_for_age.fetch_add(exchanges.into(), Ordering::Relaxed);
    }

    /// How many exchanges are open.
    #[must_use]
    pub fn exchanges_open(&self) -> u64 {
        self.counters.sum(3).saturating_sub(self.counters.sum(4))
    }

    fn render(&self, page: &mut Page) {
        page.family(names::BUILD_INFO, "gauge", "the running version");
        page.sample(names::BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        page.family(names::CONNECTIONS, "counter", "downstream connections accepted");
        page.sample(names::CONNECTIONS, &[], self.counters.sum(0));
        page.family(names::CONNECTIONS_OPEN, "gauge", "downstream connections open");
        page.sample(names::CONNECTIONS_OPEN, &[], self.counters.sum(0).saturating_sub(self.counters.sum(1)));
        page.family(names::ACCEPT_ERRORS, "counter", "connections that could not be accepted");
        page.sample(names::ACCEPT_ERRORS, &[], self.counters.sum(2));
        self.refusals.render(page);
        page.family(names::MEMORY, "gauge", "memory in use");
        page.sample(names::MEMORY, &[], memory::resident().unwrap_or(0));
        page.family(names::PANICS, "counter", "faults of the gateway itself; each has closed one connection");
        page.sample(names::PANICS, &[], panics::count());
        page.family(names::EXCHANGES_OPEN, "gauge", "exchanges whose response has not ended");
        page.sample(names::EXCHANGES_OPEN, &[], self.exchanges_open());
        page.family(names::BAD_REQUESTS, "counter", "requests answered before a route was found");
        page.sample(names::BAD_REQUESTS, &[], self.counters.sum(5));
        page.family(names::INVALID_REQUESTS, "counter", "requests that could be read in more than one way, by reason");
        for (reason, count) in self.invalid.counts() {
            page.sample(names::INVALID_REQUESTS, &[("reason", reason)], count);
        }
        page.family(names::RELOADS, "counter", "changes of configuration or policies by outcome");
        for (outcome, count) in ["rejected", "live"].iter().zip(&self.reloads) {
            page.sample(names::RELOADS, &[("outcome", outcome)], count.load(Ordering::Relaxed));
        }
        page.family(names::GENERATION, "gauge", "how many times what is served has changed");
        page.sample(names::GENERATION, &[], self.generation.load(Ordering::Relaxed));
        let help = "whether the last known good configuration serves in the place of one that is no good";
        page.family(names::LAST_KNOWN_GOOD, "gauge", help);
        page.sample(names::LAST_KNOWN_GOOD, &[], self.last_known_good.load(Ordering::Relaxed));
        let help = "policies that serve in a version which today's trust or catalogue would refuse";
        page.family(names::DISTRUSTED, "gauge", help);
        page.sample(names::DISTRUSTED, &[], self.distrusted.load(Ordering::Relaxed));
        page.family(names::SNAPSHOTS, "gauge", "what serves, and what served and has exchanges that go on");
        page.sample(names::SNAPSHOTS, &[], self.snapshots.load(Ordering::Relaxed));
        page.family(names::CUT_FOR_AGE, "counter", "exchanges cut because what they began on is served no longer");
        page.sample(names::CUT_FOR_AGE, &[], self.cut_for_age.load(Ordering::Relaxed));
        page.family(names::FILTER_INSTANCES, "gauge", "instances of filters");
        page.sample(names::FILTER_INSTANCES, &[], self.instances.load(Ordering::Relaxed));
    }
}

/// Upper bounds of the latency histogram, in microseconds.
const BUCKETS: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000];
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "cancelled"];
const SUM: usize = CLASSES.len();
const FIRST_BUCKET: usize = SUM + 1;

/// Counters of one route.
#[derive(Debug, Default)]
pub struct RouteMetrics(Counters<{ FIRST_BUCKET + BUCKETS.len() + 1 }>);

impl RouteMetrics {
    /// An exchange ended with that status after that time; without a status, the client went away before there was one.
    pub fn ended(&self, status: Option<http::StatusCode>, after: Duration) {
        let class = status.map_or(5, |status| usize::from(status.as_u16() / 100).clamp(1, 5) - 1);
        let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|bound| micros <= *bound).unwrap_or(BUCKETS.len());
        self.0.add(class, 1);
        self.0.add(SUM, micros);
        self.0.add(FIRST_BUCKET + bucket, 1);
    }
}

#[allow(clippy::cast_precision_loss, reason = "sums of microseconds shown as seconds")]
pub(super) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn render_routes(page: &mut Page, routes: &[(String, Arc<RouteMetrics>)]) {
    page.family(names::RESPONSES, "counter", "exchanges by route and class of status");
    for (route, metrics) in routes {
        for (class, label) in CLASSES.iter().enumerate() {
            page.sample(names::RESPONSES, &[("route", route), ("class", label)], metrics.0.sum(class));
        }
    }
    page.family(names::DURATION, "histogram", "time from a request's head to the end of its response");
    for (route, metrics) in routes {
        let counters = &metrics.0;
        let mut count = 0;
        for bucket in 0..=BUCKETS.len() {
            count += counters.sum(FIRST_BUCKET + bucket);
            let bound = BUCKETS.get(bucket).map_or("+Inf".to_owned(), |micros| seconds(*micros).to_string());
            page.sample(&format!("{}_bucket", names::DURATION), &[("route", route), ("le", &bound)], count);
        }
        page.sample(&format!("{}_sum", names::DURATION), &[("route", route)], seconds(counters.sum(SUM)));
        page.sample(&format!("{}_count", names::DURATION), &[("route", route)], count);
    }
}

/// A page in the text format.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    #[cfg(test)]
    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (place, (key, label)) in labels.iter().enumerate() {
            let label = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{key}=\"{label}\"", if place == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_buckets_add_up() {
        let metrics = Metrics::default();
        metrics.route("a\"b").ended(Some(http::StatusCode::OK), Duration::from_millis(3));
        metrics.route("a\"b").ended(Some(http::StatusCode::NOT_FOUND), Duration::from_secs(60));
        let page = metrics.render();
        assert!(page.contains(r#"tollgate_responses_total{route="a\"b",class="2xx"} 1"#), "{page}");
        assert!(page.contains(r#"tollgate_exchange_duration_seconds_bucket{route="a\"b",le="0.005"} 1"#), "{page}");
        assert!(page.contains(r#"tollgate_exchange_duration_seconds_bucket{route="a\"b",le="+Inf"} 2"#), "{page}");
        assert!(page.contains(r#"tollgate_exchange_duration_seconds_count{route="a\"b"} 2"#), "{page}");
    }
}
