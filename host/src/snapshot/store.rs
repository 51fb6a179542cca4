//! Where the current snapshot is: one pointer, swapped by a reload and read by each exchange.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::Snapshot;

/// The current snapshot.
pub struct SnapshotStore {
    current: ArcSwap<Snapshot>,
    changed: watch::Sender<u64>,
}

impl SnapshotStore {
    /// Begins with the given snapshot.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>) -> Arc<Self> {
        let changed = watch::Sender::new(snapshot.generation);
        Arc::new(Self { current: ArcSwap::new(snapshot), changed })
    }

    /// The current snapshot.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Whether a snapshot is still the current one. One atomic load.
    #[must_use]
    pub fn is_current(&self, snapshot: &Arc<Snapshot>) -> bool {
        std::ptr::eq(Arc::as_ptr(snapshot), Arc::as_ptr(&self.current.load()))
    }

    /// Replaces the current snapshot. Exchanges that begin from now on use the new one.
    pub fn swap(&self, snapshot: Arc<Snapshot>) {
        let generation = snapshot.generation;
        snapshot.metrics.gateway.set_generation(generation);
        self.current.store(snapshot);
        self.changed.send_replace(generation);
    }

    /// Tells of changes, so that a worker without traffic lets go of what is old.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
