//! The endpoints of an upstream at one moment: swapped as a whole, and read by a worker after one look at a number.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use super::endpoint::{Candidate, Endpoint};
use super::pick::{Maglev, sticky_name};
use super::roster::{Roster, Selection};
use crate::config::{Balance, EndpointSource, UpstreamOptions};
use crate::telemetry::UpstreamMetrics;

/// More are not taken in: a name server may say anything.
const MAX_ENDPOINTS: usize = 1_024;

/// Whom workers send requests to.
#[derive(Debug, Default)]
pub(super) struct EndpointSet {
    pub(super) generation: u64,
    pub(super) all: Vec<Arc<Endpoint>>,
    pub(super) selection: Selection,
    /// The names of the usable ones in cookies, if there are cookies.
    pub(super) sticky: Vec<String>,
    /// Over the usable ones, if requests are hashed.
    pub(super) maglev: Option<Maglev>,
}

/// The endpoints of an upstream, from all its sources.
#[derive(Debug)]
pub(super) struct Endpoints {
    /// What workers compare with what they have. On a line that is written to only when endpoints change.
    generation: AtomicU64,
    current: ArcSwap<EndpointSet>,
    known: Mutex<Known>,
    /// Tells the control thread of a new set.
    published: watch::Sender<u64>,
    /// Tells the control thread that an endpoint has failed too many requests in a row.
    pub(super) suspicion: Notify,
}

/// What the control thread knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) roster: Roster,
    /// Each source, and what it stands for as far as that was ever found out.
    found: Vec<(EndpointSource, Vec<Candidate>)>,
}

impl Endpoints {
    /// Those of addresses are there at once; those of names too, if `previous` has found them out.
    pub(super) fn new(sources: &[EndpointSource], previous: Option<&Self>) -> Self {
        let mut known = Known::default();
        let older = previous.map(Self::lock);
        let older_found = |source: &EndpointSource| {
            let found = older.as_ref()?.found.iter().find(|(other, _)| other == source)?;
            Some(found.1.clone())
        };
        for source in sources {
            let found = literal(source).map(|found| vec![found]).or_else(|| older_found(source)).unwrap_or_default();
            known.found.push((source.clone(), found));
        }
        if let Some(older) = &older {
            known.roster.entries.clone_from(&older.roster.entries);
        }
        Self {
            generation: AtomicU64::new(0),
            current: ArcSwap::default(),
            known: Mutex::new(known),
            published: watch::Sender::new(0),
            suspicion: Notify::new(),
        }
    }

    /// Compared before each request. One load.
    pub(super) fn is_current(&self, set: &EndpointSet) -> bool {
        self.generation.load(Ordering::Acquire) == set.generation
    }

    pub(super) fn load(&self) -> Arc<EndpointSet> {
        self.current.load_full()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether the source has ever been found out.
    pub(super) fn is_found(&self, source: usize) -> bool {
        self.lock().found.get(source).is_some_and(|(_, found)| !found.is_empty())
    }
}

impl Known {
    /// What a source stands for now.
    pub(super) fn set_found(&mut self, source: usize, candidates: Vec<Candidate>) {
        if let Some((_, found)) = self.found.get_mut(source) {
            *found = candidates;
        }
    }

    /// All that the sources stand for.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        self.found.iter().flat_map(|(_, found)| found.iter().cloned()).take(MAX_ENDPOINTS).collect()
    }
}

/// What is needed to make sets of one upstream.
pub(super) struct Publisher<'a> {
    pub(super) upstream: &'a str,
    pub(super) options: &'a UpstreamOptions,
    pub(super) metrics: &'a UpstreamMetrics,
    pub(super) endpoints: &'a Endpoints,
}

impl Publisher<'_> {
    /// Brings the roster in line with the sources, and publishes.
    pub(super) fn join(&self, known: &mut Known, now: Instant) {
        let candidates = known.candidates();
        let make = |new: &Candidate| {
            let metrics = self.metrics.endpoint(&new.address.to_string());
            Endpoint::new(new.host.clone(), new.address, metrics)
        };
        known.roster.set_members(&candidates, now, make);
        self.publish(known, now);
    }

    /// Makes a new set if there is anything new, and lets workers see it.
    pub(super) fn publish(&self, known: &Known, now: Instant) {
        let selection = known.roster.selection(self.options, now);
        let all: Vec<_> = known.roster.entries.iter().map(|entry| Arc::clone(&entry.endpoint)).collect();
        let current = self.endpoints.load();
        let same = |(one, other): (&Arc<Endpoint>, &Arc<Endpoint>)| Arc::ptr_eq(one, other);
        if current.generation > 0
            && current.selection == selection
            && current.all.len() == all.len()
            && current.all.iter().zip(&all).all(same)
        {
            return;
        }
        let usable = || selection.usable.iter().map(|(index, weight)| (all[*index].address.to_string(), *weight));
        let maglev = match self.options.balance {
            Balance::Hash(_) => Maglev::new(&usable().collect::<Vec<_>>()),
            Balance::RoundRobin | Balance::LeastRequests => None,
        };
        let name =
            |(address, _): (String, u32)| Some(sticky_name(self.options.sticky.as_ref()?, self.upstream, &address));
        let sticky = usable().filter_map(name).collect();
        self.metrics.set_endpoints(all.len(), selection.usable.len(), selection.panic);
        let mut up = vec![false; all.len()];
        selection.usable.iter().for_each(|(index, _)| up[*index] = true);
        all.iter().zip(up).for_each(|(endpoint, up)| endpoint.metrics.set_up(up));
        let generation = current.generation + 1;
        let set = EndpointSet { generation, all, selection, sticky, maglev };
        self.endpoints.current.store(Arc::new(set));
        self.endpoints.generation.store(generation, Ordering::Release);
        self.endpoints.published.send_replace(generation);
    }
}

/// The endpoint of a source that is an address already.
fn literal(source: &EndpointSource) -> Option<Candidate> {
    let EndpointSource::Host { endpoint, weight } = source else { return None };
    let ip = endpoint.host.parse().ok()?;
    let address = std::net::SocketAddr::new(ip, endpoint.port);
    Some(Candidate { host: endpoint.host.clone(), address, weight: *weight })
}
