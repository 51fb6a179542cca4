//! Sockets that are bound before a snapshot goes live, so that an address that cannot be bound rejects the change, and what
//! is done with the connections that come on them.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;

use super::Snapshot;
use crate::config::{Config, Listener, ListenerOptions, Problem};
use crate::listener::TlsSettings;

/// A listener's sockets, at least one for each worker: where they are ours, all on the same address (`SO_REUSEPORT`), so the
/// kernel spreads connections.
pub struct BoundListener {
    /// The name, unique.
    pub name: Arc<str>,
    /// As configured; the port may be 0.
    pub configured: SocketAddr,
    /// As bound.
    pub address: SocketAddr,
    workers: Mutex<Vec<Sockets>>,
}

/// A worker's sockets.
#[derive(Default)]
struct Sockets {
    /// Until the worker has taken them.
    fresh: Vec<TcpListener>,
    /// The same again, for as long as the worker accepts on them: what a successor inherits.
    kept: Vec<TcpListener>,
}

impl BoundListener {
    /// Takes sockets that have been bound, for each worker its own.
    ///
    /// # Errors
    /// If there are not enough descriptors.
    pub fn new(
        name: Arc<str>,
        configured: SocketAddr,
        address: SocketAddr,
        sockets: Vec<Vec<TcpListener>>,
    ) -> std::io::Result<Arc<Self>> {
        let twice = |fresh: Vec<TcpListener>| {
            let kept = fresh.iter().map(TcpListener::try_clone).collect::<std::io::Result<_>>()?;
            Ok(Sockets { fresh, kept })
        };
        let workers = sockets.into_iter().map(twice).collect::<std::io::Result<_>>()?;
        Ok(Arc::new(Self { name, configured, address, workers: Mutex::new(workers) }))
    }

    /// A worker's sockets; given once.
    #[must_use]
    pub fn take_sockets(&self, worker: usize) -> Vec<TcpListener> {
        self.workers().get_mut(worker).map(|sockets| std::mem::take(&mut sockets.fresh)).unwrap_or_default()
    }

    /// A worker accepts no longer: its sockets are closed once it has dropped them.
    pub fn close(&self, worker: usize) {
        self.workers().get_mut(worker).map(std::mem::take);
    }

    /// All sockets again, for another process.
    ///
    /// # Errors
    /// If there are not enough descriptors.
    pub fn duplicate(&self) -> std::io::Result<Vec<OwnedFd>> {
        let workers = self.workers();
        workers.iter().flat_map(|sockets| &sockets.kept).map(|socket| Ok(socket.try_clone()?.into())).collect()
    }

    fn workers(&self) -> MutexGuard<'_, Vec<Sockets>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a listener does with new connections. Replaced by a reload while the sockets stay; a connection keeps what it was
/// accepted with.
#[derive(Debug)]
pub struct ListenerSettings {
    /// As configured.
    pub options: ListenerOptions,
    /// For handshakes, if the listener speaks TLS.
    pub tls: Option<Arc<TlsSettings>>,
    /// What `Strict-Transport-Security` says on each response, if anything.
    pub hsts: Option<HeaderValue>,
}

impl Snapshot {
    /// The settings of a listener, unless it is gone.
    #[must_use]
    pub fn settings_of(&self, listener: &Arc<BoundListener>) -> Option<&Arc<ListenerSettings>> {
        let place = self.listeners.iter().position(|known| Arc::ptr_eq(known, listener))?;
        self.settings.get(place)
    }

    fn settings_named(&self, name: &str) -> Option<&Arc<ListenerSettings>> {
        let place = self.listeners.iter().position(|known| *known.name == *name)?;
        self.settings.get(place)
    }
}

/// The settings of all listeners, and why some of them are older ones.
pub(super) struct AllSettings {
    pub(super) settings: Vec<Arc<ListenerSettings>>,
    pub(super) kept: Vec<Problem>,
}

/// Makes the settings of all listeners. Where a certificate or a key is no good, the older settings are kept and it is said why;
/// where there are none, that is an error.
pub(super) fn settings(config: &Config, previous: Option<&Snapshot>) -> Result<AllSettings, Vec<Problem>> {
    let (mut settings, mut kept, mut fatal) = (Vec::new(), Vec::new(), Vec::new());
    for listener in &config.listeners {
        let older = previous.and_then(|snapshot| snapshot.settings_named(&listener.name));
        match (settings_of(listener, older), older) {
            (Ok(new), _) => settings.push(Arc::new(new)),
            // Not of one that was plain: it would go on without the TLS that it is meant to have now.
            (Err(problems), Some(older)) if older.tls.is_some() => {
                settings.push(Arc::clone(older));
                kept.extend(problems);
            }
            (Err(problems), _) => fatal.extend(problems),
        }
    }
    if fatal.is_empty() { Ok(AllSettings { settings, kept }) } else { Err(fatal) }
}

fn settings_of(listener: &Listener, older: Option<&Arc<ListenerSettings>>) -> Result<ListenerSettings, Vec<Problem>> {
    let options = listener.options.clone();
    let older = older.and_then(|older| older.tls.as_ref());
    let tls = options.tls.as_ref().map(|tls| TlsSettings::load(tls, older)).transpose()?;
    let hsts = options.hsts.as_ref().and_then(|value| HeaderValue::from_str(value).ok());
    Ok(ListenerSettings { options, tls, hsts })
}
