//! What ticks reach: upstreams, by connections of their own thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::callout::{Outlet, nobody};
use crate::chain::Policy;
use crate::message::ClientInfo;
use crate::sandbox::Carrier;
use crate::snapshot::{Snapshot, SnapshotStore};
use crate::upstream::Pool;

/// The upstreams that ticks have called so far.
pub(super) struct Outside {
    store: Arc<SnapshotStore>,
    /// What is about to serve, until it does.
    coming: RefCell<Option<Arc<Snapshot>>>,
    pools: RefCell<Vec<Rc<Pool>>>,
    client: Arc<ClientInfo>,
}

impl Outside {
    pub(super) fn new(store: Arc<SnapshotStore>) -> Rc<Self> {
        Rc::new(Self { store, coming: RefCell::default(), pools: RefCell::default(), client: nobody("tick") })
    }

    /// Whether the policy is one of those that serve now or are about to. A tick asks before it begins, as its thread may hear
    /// of a change later than the workers.
    pub(super) fn serves(&self, policy: &Arc<Policy>) -> bool {
        self.snapshot().has(policy)
    }

    /// A snapshot is about to serve.
    pub(super) fn expect(&self, snapshot: &Arc<Snapshot>) {
        self.follow(snapshot);
        self.coming.replace(Some(Arc::clone(snapshot)).filter(|coming| !self.store.is_current(coming)));
    }

    /// A snapshot serves: takes over what there is to its upstreams.
    pub(super) fn follow(&self, snapshot: &Snapshot) {
        self.coming.replace(None);
        self.pools.borrow_mut().retain_mut(|pool| match snapshot.upstream_named(pool.upstream.name()) {
            None => false,
            Some(upstream) => {
                if !Arc::ptr_eq(upstream, &pool.upstream) {
                    *pool = Pool::new(Arc::clone(upstream), Some(pool));
                }
                true
            }
        });
    }

    /// What takes callouts to them.
    pub(super) fn carrier(self: &Rc<Self>) -> Rc<dyn Carrier> {
        let outside = Rc::clone(self);
        Rc::new(Outlet::new(Arc::clone(&self.client), move |name| outside.pool(name)))
    }

    /// Whether there is anything to sweep.
    pub(super) fn is_used(&self) -> bool {
        !self.pools.borrow().is_empty()
    }

    /// Drops connections that have been unused for too long.
    pub(super) fn sweep(&self) {
        self.pools.borrow().iter().for_each(Pool::sweep);
    }

    fn pool(&self, name: &str) -> Option<Rc<Pool>> {
        let mut pools = self.pools.borrow_mut();
        if let Some(pool) = pools.iter().find(|pool| pool.upstream.name() == name) {
            return Some(Rc::clone(pool));
        }
        let pool = Pool::new(Arc::clone(self.snapshot().upstream_named(name)?), None);
        pools.push(Rc::clone(&pool));
        Some(pool)
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.coming.borrow().clone().unwrap_or_else(|| self.store.load())
    }
}
