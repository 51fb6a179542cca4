//! The admin listener: `/live`, `/ready`, `/metrics`, `/policies`, `/routes`, `/upstreams`. On
//! loopback unless told otherwise; it changes nothing.

mod pages;

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;

use crate::listener::accept;
use crate::reload::Outcome;
use crate::snapshot::SnapshotStore;
use crate::telemetry::Metrics;

/// What the pages show.
pub struct Admin {
    /// What serves.
    pub store: Arc<SnapshotStore>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The latest reload.
    pub outcome: Arc<Outcome>,
    /// Cancelled when the gateway drains: it is alive then, but not ready.
    pub drain: CancellationToken,
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
    /// Serves the pages until `stop` is cancelled.
    ///
    /// # Errors
    /// If the socket cannot be used.
    pub async fn serve(self: Arc<Self>, socket: TcpListener, stop: CancellationToken) -> io::Result<()> {
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let failed = |error: &io::Error| tracing::warn!(%error, "the admin listener could not accept a connection");
        let connection = move |stream, _| {
            let admin = Arc::clone(&self);
            tokio::task::spawn_local(async move {
                let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
                    let page = admin.page(request.method(), request.uri().path());
                    async move { Ok::<_, Infallible>(page.map(|text| Full::new(bytes::Bytes::from(text)))) }
                });
                let served = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(std::time::Duration::from_secs(60))
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
                if let Err(error) = served {
                    tracing::debug!(%error, "admin connection ended");
                }
            });
        };
        accept(socket, stop, connection, failed).await;
        Ok(())
    }
}
