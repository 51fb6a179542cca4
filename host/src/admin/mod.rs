//! The admin listener: `/live`, `/ready`, `/metrics`, `/policies`, `/routes`, `/upstreams`, `/catalogue`, `/history`, `/faults`,
//! `/events`. On loopback unless told otherwise; it changes nothing. Operators have a socket of their own (`socket`).

mod catalogue;
mod events;
mod pages;
mod socket;
mod trial;

pub use self::socket::{Operators, bind_operators};

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderValue, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Notify, SetOnce};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::deploy::Journal;
use crate::listener::{Accepted, accept};
use crate::reload::Outcome;
use crate::snapshot::{Snapshot, SnapshotStore};
use crate::telemetry::Metrics;

/// How long connections may take to end when the pages are served no longer.
const LAST_PAGES: Duration = Duration::from_secs(1);

/// What the pages show.
pub struct Admin {
    /// What serves, once anything does.
    store: OnceLock<Arc<SnapshotStore>>,
    shown: Notify,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The latest reload.
    pub outcome: Arc<Outcome>,
    /// Who may change something, once anybody may.
    operators: SetOnce<Operators>,
    /// The history of changes.
    pub journal: Arc<Journal>,
    /// Cancelled when the gateway drains and nobody serves in its place: it is alive then, but not ready.
    pub unready: CancellationToken,
}

/// Binds the admin address.
///
/// # Errors
/// If the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpListener::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Admin {
    /// The pages of a gateway that does not serve yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, journal: Arc<Journal>) -> Self {
        Self {
            store: OnceLock::new(),
            shown: Notify::new(),
            metrics,
            outcome: Arc::default(),
            operators: SetOnce::new(),
            journal,
            unready: CancellationToken::new(),
        }
    }

    /// It serves from now on.
    pub fn show(&self, store: Arc<SnapshotStore>) {
        // Fails only if it has served before.
        let _ = self.store.set(store);
        self.shown.notify_one();
    }

    /// Operators may come in from now on.
    pub fn admit(&self, operators: Operators) {
        // Fails only if they may already.
        let _ = self.operators.set(operators);
    }

    /// Where what serves is, as soon as anything does. For one to wait for.
    pub async fn serving(&self) -> &Arc<SnapshotStore> {
        loop {
            if let Some(store) = self.store.get() {
                return store;
            }
            self.shown.notified().await;
        }
    }

    /// How many snapshots there are.
    #[must_use]
    pub fn snapshots(&self) -> usize {
        self.store.get().map_or(0, |store| store.alive())
    }

    /// What serves, if anything does.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.store.get().map(|store| store.load())
    }

    /// Serves the pages until `stop` is cancelled.
    ///
    /// # Errors
    /// If the socket cannot be used.
    pub async fn serve(self: Arc<Self>, socket: TcpListener, stop: CancellationToken) -> io::Result<()> {
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let mut connections = Connections { pages: self, stop: stop.clone(), open: JoinSet::new() };
        accept(socket, stop, &mut connections).await;
        let rest = async { while connections.open.join_next().await.is_some() {} };
        // Those that are idle are cut.
        let _ = tokio::time::timeout(LAST_PAGES, rest).await;
        Ok(())
    }
}

struct Connections {
    pages: Arc<Admin>,
    stop: CancellationToken,
    open: JoinSet<()>,
}

impl Accepted for Connections {
    fn serve(&mut self, stream: TcpStream, _: SocketAddr) {
        while self.open.try_join_next().is_some() {}
        let (pages, stop) = (Arc::clone(&self.pages), self.stop.clone());
        self.open.spawn_local(async move {
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
                let mut page = pages.content(&request, &stop);
                if stop.is_cancelled() {
                    page.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                async move { Ok::<_, Infallible>(page) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(60))
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "admin connection ended");
            }
        });
    }

    fn failed(&mut self, error: &io::Error) {
        tracing::warn!(%error, "the admin listener could not accept a connection");
    }
}
