//! One downstream connection, in a task of its own.

mod frames;
mod http1;
mod http2;
mod identity;
mod intake;
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
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::opening::{OpenError, Protocol};
use crate::config::Limits;
use crate::exchange::Handover;
use crate::message::{Activity, ClientInfo, Seconds};
use crate::snapshot::{ListenerSettings, View};
use crate::telemetry::Metrics;

/// How long a connection that is not wanted any more stays open for a request that may be on its way.
const IDLE: Duration = Duration::from_secs(1);

/// What a worker knows of a connection.
pub struct Connection {
    activity: Rc<Activity>,
    /// Cancelled with the worker's drain, or to cut the connection.
    stop: CancellationToken,
    cut: Cell<bool>,
    cut_now: Notify,
    place: Cell<usize>,
    handover: Rc<Handover>,
}

impl Connection {
    /// Of a connection that has just been accepted.
    #[must_use]
    pub fn new(clock: Seconds, stop: CancellationToken) -> Self {
        let (activity, handover) = (Rc::new(Activity::new(clock)), Rc::new(Handover::new(stop.clone())));
        Self { activity, stop, cut: Cell::new(false), cut_now: Notify::new(), place: Cell::new(0), handover }
    }

    /// Ends the connection if it has waited for longer than it may.
    pub fn cut_if_overdue(&self, limits: &Limits) {
        if self.activity.is_overdue(limits.header_timeout, limits.keep_alive)
            || self.activity.is_stuck(limits.body_idle)
        {
            self.cut();
        }
    }

    /// Ends the connection if it has been idle for a while, and says whether it has. At once, a request might be on its way
    /// already, and its client could not tell whether it was served.
    pub fn cut_if_idle(&self) -> bool {
        let idle = self.activity.is_idle_for(IDLE);
        if idle {
            self.cut();
        }
        idle
    }

    fn cut(&self) {
        self.cut.set(true);
        self.stop.cancel();
        self.cut_now.notify_one();
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

    /// Waits until the connection is cut: a drain alone does not end what its client may have begun.
    async fn is_cut(&self) {
        self.cut_now.notified().await;
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

/// Serves the requests of a connection, each on the snapshot that is current when it comes. On drain the running exchanges, and
/// one that is on its way, are served; the response says that it is the last.
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
        () = known.is_cut() => return,
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
