//! A snapshot as one worker uses it: with its own instances and connections.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;

use super::Snapshot;
use super::fork::Fork;
use crate::chain::{Link, LocalChain, LocalFilter, Policy};
use crate::listener::UnderWay;
use crate::message::ClientInfo;
use crate::route::Turns;
use crate::telemetry::{CostMetrics, Refusal};
use crate::upstream::{Pool, Upstream};

/// A worker's view of a snapshot. Exchanges hold it to their end; with the last one go the instances and connections that
/// no newer view has taken over.
pub struct View {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    filters: Vec<Rc<LocalFilter>>,
    chains: Vec<LocalChain>,
    /// Of the routes that have a policy with a version on trial.
    forks: Vec<Option<Box<Fork>>>,
    turns: Vec<Turns>,
    /// The names of the targets, of this worker's own: exchanges hold on to them.
    names: Vec<Arc<str>>,
    copies: Rc<Cell<usize>>,
    pools: Vec<Rc<Pool>>,
    /// What this worker has under way, on this view and others.
    under_way: Rc<UnderWay>,
}

impl View {
    /// A view of `snapshot` that takes over from `previous` what has not changed.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>, previous: Option<&Self>) -> Rc<Self> {
        let known: HashMap<_, _> = previous
            .into_iter()
            .flat_map(|view| &view.filters)
            .map(|filter| (Arc::as_ptr(&filter.policy), filter))
            .collect();
        let filters: Vec<_> = snapshot
            .loaded()
            .map(|policy| match known.get(&Arc::as_ptr(policy)) {
                Some(filter) => Rc::clone(filter),
                None => Rc::new(LocalFilter::new(Arc::clone(policy))),
            })
            .collect();
        let places: HashMap<_, _> = filters.iter().map(|filter| (Arc::as_ptr(&filter.policy), filter)).collect();
        let find = |policy: &Arc<Policy>| places.get(&Arc::as_ptr(policy)).map(|filter| Rc::clone(filter));
        let (chains, forks) = snapshot
            .targets
            .iter()
            .map(|target| {
                let links = target.chain.policies().iter().zip(target.chain.costs());
                let link = |(policy, cost): (&Arc<Policy>, &Arc<CostMetrics>)| {
                    let figures = snapshot.trial_of(&policy.name).map(|trial| Arc::clone(trial.figures().0));
                    Some(Link { filter: find(policy)?, cost: Arc::clone(cost), figures, shadow: None })
                };
                let chain: LocalChain = links.filter_map(link).collect();
                let fork = target.trial.map(|_| Box::new(Fork::new(&chain, &snapshot, find)));
                (chain, fork)
            })
            .unzip();
        let older = |upstream: &Upstream| {
            let mut pools = previous.into_iter().flat_map(|view| &view.pools);
            pools.find(|pool| pool.upstream.name() == upstream.name())
        };
        let pools = snapshot
            .upstreams
            .iter()
            .map(|upstream| {
                let mut known = previous.into_iter().flat_map(|view| &view.pools);
                match known.find(|pool| Arc::ptr_eq(&pool.upstream, upstream)) {
                    Some(pool) => Rc::clone(pool),
                    None => Pool::new(Arc::clone(upstream), older(upstream).map(AsRef::as_ref)),
                }
            })
            .collect();
        let turns = snapshot.targets.iter().map(|_| Turns::default()).collect();
        let names = snapshot.targets.iter().map(|target| Arc::from(&*target.name)).collect();
        let copies = previous.map(|view| Rc::clone(&view.copies)).unwrap_or_default();
        let under_way = previous.map(|view| Rc::clone(&view.under_way)).unwrap_or_default();
        Rc::new(Self { snapshot, filters, chains, forks, turns, names, copies, pools, under_way })
    }

    /// An exchange begins.
    pub fn exchange_begins(&self) {
        self.snapshot.admission.begin(&self.under_way, self.snapshot.bounds.share);
        self.snapshot.metrics.gateway.exchange_opened();
    }

    /// An exchange has ended.
    pub fn exchange_ends(&self) {
        self.snapshot.admission.end(&self.under_way);
        self.snapshot.metrics.gateway.exchange_closed();
    }

    /// Whether the exchange that has just begun may go on.
    ///
    /// # Errors
    /// If the gateway has too much to do.
    pub fn admit(&self) -> Result<(), Refusal> {
        let Snapshot { bounds, admission, metrics, .. } = &*self.snapshot;
        admission.admit(bounds, || metrics.gateway.exchanges_open())
    }

    /// This worker's filters of a route, for a request with such fields from that client.
    #[must_use]
    pub fn chain(&self, route: usize, fields: &HeaderMap, client: &ClientInfo) -> LocalChain {
        match &self.forks[route] {
            None => Rc::clone(&self.chains[route]),
            Some(fork) => fork.choose(&self.chains[route], fields, client),
        }
    }

    /// The name of a route.
    #[must_use]
    pub fn route_name(&self, route: usize) -> &Arc<str> {
        &self.names[route]
    }

    /// How this worker divides a route's requests.
    #[must_use]
    pub fn turns(&self, route: usize) -> &Turns {
        &self.turns[route]
    }

    /// How many copies of requests this worker has under way.
    #[must_use]
    pub fn copies(&self) -> &Rc<Cell<usize>> {
        &self.copies
    }

    /// This worker's connections to an upstream.
    #[must_use]
    pub fn pool(&self, upstream: usize) -> &Rc<Pool> {
        &self.pools[upstream]
    }

    /// This worker's connections to the upstream of that name.
    #[must_use]
    pub fn pool_named(&self, upstream: &str) -> Option<&Rc<Pool>> {
        self.pools.iter().find(|pool| pool.upstream.name() == upstream)
    }

    /// Drops all unused connections to upstreams.
    pub fn release_idle(&self) {
        self.pools.iter().for_each(|pool| pool.release_idle());
    }

    /// Drops connections that have been unused for too long and looks after the instances of filters. Called once a second.
    pub fn sweep(&self) {
        self.pools.iter().for_each(|pool| pool.sweep());
        self.filters.iter().for_each(|filter| filter.sweep());
    }
}
