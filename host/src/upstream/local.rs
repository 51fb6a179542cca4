//! The endpoints of an upstream as one worker has them: with its connections, and whose turn it is.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use super::client::{Http2Connections, Idle};
use super::endpoint::Endpoint;
use super::pick::Load;
use super::set::EndpointSet;

/// An endpoint as this worker has it. Lives for as long as the endpoint belongs to the upstream, and then until its last
/// request has ended.
pub(super) struct Local {
    pub(super) endpoint: Arc<Endpoint>,
    /// Unused connections, the most recently used last.
    pub(super) idle: RefCell<VecDeque<Idle>>,
    /// Connections of HTTP/2, if that is what it speaks.
    pub(super) http2: Http2Connections,
    /// What it has gained in smooth round robin.
    pub(super) purse: Cell<i64>,
    /// Requests under way on this worker.
    requests: Cell<u32>,
    /// Requests of this worker that wait for a connection, and what tells them of one.
    pub(super) waiting: Cell<usize>,
    pub(super) returned: Notify,
    /// Connections that are being opened ahead.
    pub(super) warming: Cell<usize>,
}

impl Local {
    pub(super) fn new(endpoint: Arc<Endpoint>) -> Rc<Self> {
        Rc::new(Self {
            endpoint,
            idle: RefCell::default(),
            http2: Http2Connections::default(),
            purse: Cell::new(0),
            requests: Cell::new(0),
            waiting: Cell::new(0),
            returned: Notify::new(),
            warming: Cell::new(0),
        })
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests.get()
    }
}

/// A request that is under way at an endpoint, to the end of its response.
pub(super) struct Lease(Rc<Local>);

impl Lease {
    pub(super) fn new(local: &Rc<Local>) -> Self {
        local.requests.set(local.requests.get() + 1);
        Self(Rc::clone(local))
    }

    pub(super) fn local(&self) -> &Rc<Local> {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
    }
}

/// A set of endpoints as this worker has it. Made anew when the set changes; a request keeps the one it began with.
pub(super) struct LocalSet {
    pub(super) shared: Arc<EndpointSet>,
    /// All, also those that are left out for now: they keep their connections.
    pub(super) all: Vec<Rc<Local>>,
    /// Those that requests go to, with their weights.
    pub(super) usable: Vec<(Rc<Local>, u32)>,
    /// Whether all weights are the same.
    pub(super) is_even: bool,
    sticky: HashMap<Box<[u8]>, usize>,
}

impl LocalSet {
    /// Takes over what the worker has of those that stay.
    pub(super) fn new(shared: Arc<EndpointSet>, previous: &[Rc<Local>]) -> Rc<Self> {
        let known: HashMap<_, _> = previous.iter().map(|local| (Arc::as_ptr(&local.endpoint), local)).collect();
        let local = |endpoint: &Arc<Endpoint>| match known.get(&Arc::as_ptr(endpoint)) {
            Some(local) => Rc::clone(local),
            None => Local::new(Arc::clone(endpoint)),
        };
        let all: Vec<_> = shared.all.iter().map(local).collect();
        let usable: Vec<_> =
            shared.selection.usable.iter().map(|(index, weight)| (Rc::clone(&all[*index]), *weight)).collect();
        let is_even = usable.iter().all(|(_, weight)| *weight == usable[0].1);
        let names = shared.sticky.iter().enumerate().map(|(index, name)| (name.as_bytes().into(), index));
        let sticky = names.collect();
        Rc::new(Self { all, usable, is_even, sticky, shared })
    }

    pub(super) fn by_sticky_name(&self, name: &[u8]) -> Option<usize> {
        self.sticky.get(name).copied()
    }

    pub(super) fn load(&self, index: usize) -> Load {
        let (local, weight) = &self.usable[index];
        Load { requests: local.requests.get(), weight: *weight }
    }
}
