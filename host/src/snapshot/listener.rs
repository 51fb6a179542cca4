//! Sockets that are bound before a snapshot goes live, so that an address that cannot be bound rejects the change.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

/// A listener's sockets: one for each worker, on the same address (`SO_REUSEPORT`), so the kernel spreads connections.
pub struct BoundListener {
    /// The name, unique.
    pub name: Arc<str>,
    /// As configured; the port may be 0.
    pub configured: SocketAddr,
    /// As bound.
    pub address: SocketAddr,
    sockets: Mutex<Vec<Option<TcpListener>>>,
}

impl BoundListener {
    /// Takes sockets that have been bound, one for each worker.
    #[must_use]
    pub fn new(name: Arc<str>, configured: SocketAddr, address: SocketAddr, sockets: Vec<TcpListener>) -> Arc<Self> {
        let sockets = Mutex::new(sockets.into_iter().map(Some).collect());
        Arc::new(Self { name, configured, address, sockets })
    }

    /// A worker's socket; given once.
    #[must_use]
    pub fn take_socket(&self, worker: usize) -> Option<TcpListener> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).get_mut(worker).and_then(Option::take)
    }
}
