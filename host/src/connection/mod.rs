//! One downstream connection, in a task of its own.

mod frames;
mod http1;
mod http2;
mod identity;
mod io;
mod opening;
mod proxy_protocol;
mod socket;
mod streams;
mod transport;

pub use opening::Arrival;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, header};
use tokio_util::sync::CancellationToken;

use self::opening::{OpenError, Protocol};
use crate::config::Limits;
use crate::message::{Activity, ClientInfo, Seconds};
use crate::snapshot::{ListenerSettings, View};
use crate::telemetry::Metrics;

/// How long a connection that is accepted at the last moment has to say what it wants.
const GRACE: Duration = Duration::from_millis(200);

/// What a worker knows of a connection.
pub struct Connection {
    activity: Rc<Activity>,
    /// Cancelled with the worker's drain, or to cut the connection.
    stop: CancellationToken,
    cut: Cell<bool>,
    place: Cell<usize>,
}

impl Connection {
    /// Of a connection that has just been accepted.
    #[must_use]
    pub fn new(clock: Seconds, stop: CancellationToken) -> Self {
        Self { activity: Rc::new(Activity::new(clock)), stop, cut: Cell::new(false), place: Cell::new(0) }
    }

    /// Ends the connection if it has waited for longer than it may.
    pub fn cut_if_overdue(&self, limits: &Limits) {
        if self.activity.is_overdue(limits.header_timeout, limits.keep_alive)
            || self.activity.is_stuck(limits.body_idle)
        {
            self.cut.set(true);
            self.stop.cancel();
        }
    }

    /// Where the worker keeps it.
    #[must_use]
    pub fn place(&self) -> usize {
        self.place.get()
    }

    /// Where the worker keeps it.
    pub fn set_place(&self, place: usize) {
        self.place.set(place);
    }

    /// Waits until the connection may not be opened any more: it is cut, or a drain has begun and what its client had sent
    /// before has had time to arrive.
    async fn is_late(&self) {
        self.stop.cancelled().await;
        if !self.cut.get() {
            tokio::time::sleep(GRACE).await;
        }
    }
}

/// Whom a connection's requests come from, and what its listener does with them.
struct Front {
    client: Arc<ClientInfo>,
    settings: Arc<ListenerSettings>,
}

impl Front {
    /// What the listener says on each response.
    fn mark<B>(&self, response: &mut Response<B>) {
        if let Some(hsts) = &self.settings.hsts {
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
    }
}

/// Serves the requests of a connection, each on the snapshot that is current when it comes. On drain the running exchanges
/// end and no further one begins.
pub async fn serve(
    arrival: Arrival,
    known: &Connection,
    limits: &Limits,
    metrics: &Arc<Metrics>,
    view: impl Fn() -> Rc<View>,
) {
    let (address, settings) = (arrival.address, Arc::clone(&arrival.settings));
    let opened = tokio::select! {
        opened = arrival.open(Rc::clone(&known.activity)) => opened,
        () = known.is_late() => return,
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => {
            count(&error, metrics);
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::debug!(client = %address, %error, source, "downstream connection not opened");
            return;
        }
    };
    let front = Front { client: Arc::new(opened.client), settings };
    let ended = match opened.protocol {
        Protocol::Http1 => http1::serve(opened.transport, &front, known, limits, view).await,
        Protocol::Http2 => {
            http2::serve(opened.transport, Rc::new(front), known, limits, Arc::clone(metrics), view).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(client = %address, %error, "downstream connection ended");
    }
}

fn count(error: &OpenError, metrics: &Metrics) {
    match error {
        OpenError::ProxyHeader(_) | OpenError::Untrusted(_) => metrics.downstream.proxy_header_failed(),
        OpenError::Handshake(_) => metrics.downstream.handshake_failed(),
        OpenError::Io(_) => {}
    }
}
