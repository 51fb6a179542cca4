//! How much is asked of an upstream at once, by all workers together. Shared counters, but only where bounds are configured.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::UpstreamError;
use crate::config::UpstreamLimits;

/// The bounds of one upstream, and how much of them is used.
#[derive(Debug)]
pub(super) struct Limits {
    requests: Option<Arc<Count>>,
    pub(super) connections: Option<Connections>,
}

/// Permits to hold a connection, and who waits for one.
#[derive(Debug)]
pub(super) struct Connections {
    permits: Arc<Semaphore>,
    pending: Arc<Count>,
    /// Tells workers that a request has begun to wait.
    asked: watch::Sender<()>,
}

/// A number of things that is bounded.
#[derive(Debug)]
struct Count {
    now: AtomicUsize,
    most: usize,
}

/// One of the things; it ends when dropped.
#[derive(Debug)]
pub(super) struct Counted(Arc<Count>);

impl Limits {
    pub(super) fn new(limits: &UpstreamLimits) -> Self {
        let connections = limits.connections.map(|most| Connections {
            permits: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            pending: Count::new(limits.pending),
            asked: watch::Sender::new(()),
        });
        Self { requests: limits.requests.map(Count::new), connections }
    }

    /// Lets a request in, to the end of its response.
    pub(super) fn request(&self) -> Result<Option<Counted>, UpstreamError> {
        let full = || UpstreamError::Full { bound: "requests" };
        self.requests.as_ref().map(|count| Count::one(count).ok_or_else(full)).transpose()
    }
}

impl Connections {
    /// A permit that is free now.
    pub(super) fn try_one(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// The next permit that becomes free. The semaphore is never closed.
    pub(super) async fn one(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// Lets a request wait.
    pub(super) fn wait(&self) -> Result<Counted, UpstreamError> {
        let pending = Count::one(&self.pending).ok_or(UpstreamError::Full { bound: "connections" })?;
        self.asked.send_replace(());
        Ok(pending)
    }

    /// Tells of requests that have begun to wait.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.asked.subscribe()
    }

    /// How many requests wait, on all workers.
    pub(super) fn wanted(&self) -> usize {
        self.pending.now.load(Ordering::Relaxed)
    }
}

impl Count {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { now: AtomicUsize::new(0), most })
    }

    fn one(count: &Arc<Self>) -> Option<Counted> {
        // Made before it is looked at, so that it is taken back however this ends.
        let before = count.now.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(Arc::clone(count));
        (before < count.most).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_makes_room() {
        let limits = Limits::new(&UpstreamLimits { connections: None, pending: 0, requests: Some(2) });
        let one = limits.request().unwrap();
        let two = limits.request().unwrap();
        assert!(limits.request().is_err());
        assert!(limits.request().is_err(), "who is turned away leaves nothing behind");
        drop(one);
        let three = limits.request().unwrap();
        assert!(limits.request().is_err());
        drop((two, three));
        assert_eq!(limits.requests.unwrap().now.load(Ordering::Relaxed), 0);
    }
}
