//! Where the current snapshot is: one pointer, swapped by a reload and read by each exchange.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::Snapshot;

/// The current snapshot.
pub struct SnapshotStore {
    current: ArcSwap<Snapshot>,
    changed: watch::Sender<u64>,
    /// Those that were current once.
    older: Mutex<Vec<Weak<Snapshot>>>,
}

impl SnapshotStore {
    /// Begins with the given snapshot.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>) -> Arc<Self> {
        let changed = watch::Sender::new(snapshot.generation);
        Arc::new(Self { current: ArcSwap::new(snapshot), changed, older: Mutex::default() })
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
        let older = self.current.swap(snapshot);
        self.older().push(Arc::downgrade(&older));
        drop(older);
        self.changed.send_replace(generation);
    }

    /// How many snapshots there are: the current one, and those that exchanges still go on with.
    #[must_use]
    pub fn alive(&self) -> usize {
        let mut older = self.older();
        older.retain(|snapshot| snapshot.strong_count() > 0);
        1 + older.len()
    }

    fn older(&self) -> MutexGuard<'_, Vec<Weak<Snapshot>>> {
        self.older.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of changes, so that a worker without traffic lets go of what is old.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
