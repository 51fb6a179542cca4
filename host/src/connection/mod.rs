//! One downstream connection, in a task of its own.

pub mod frames;
pub mod http1;
mod http2;
pub mod identity;
mod opening;
pub mod proxy_protocol;
mod socket;
mod streams;
mod transport;

pub use opening::Arrival;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Response, header};
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
    draining: Cell<bool>,
    cut: Cell<bool>,
    /// The connection's task, to be told when it is cut.
    task: RefCell<Option<Waker>>,
    place: Cell<usize>,
    handover: Rc<Handover>,
}

impl Connection {
    /// Of a connection that has just been accepted.
    #[must_use]
    pub fn new(clock: Seconds, stop: CancellationToken) -> Self {
        let (activity, handover) = (Rc::new(Activity::new(clock)), Rc::new(Handover::new(stop.clone())));
        Self {
            activity,
            draining: Cell::new(stop.is_cancelled()),
            stop,
            cut: Cell::new(false),
            task: RefCell::new(None),
            place: Cell::new(0),
            handover,
        }
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

    /// Ends the connection if it has exchanges that began on that generation of what is served, or on an older one, and says how
    /// many. WebSockets are told first, within the time that a drain takes.
    pub fn cut_until(&self, generation: u64) -> u32 {
        let exchanges = self.activity.exchanges_until(generation);
        if exchanges > 0 {
            self.cut();
        }
        exchanges
    }

    fn cut(&self) {
        self.cut.set(true);
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// The next response is to be the last: the gateway stops.
    pub fn drain(&self) {
        self.draining.set(true);
    }

    fn is_draining(&self) -> bool {
        self.draining.get()
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

    /// Whether the connection is cut: a drain alone does not end what its client may have begun. For its own task only.
    fn poll_cut(&self, cx: &Context<'_>) -> Poll<()> {
        if self.cut.get() {
            return Poll::Ready(());
        }
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        Poll::Pending
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
        () = poll_fn(|cx| known.poll_cut(cx)) => return,
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
    match opened.protocol {
        Protocol::Http1 => note(address, http1::serve(opened.transport, &front, known, metrics, view).await),
        Protocol::Http2 => {
            let served = http2::serve(opened.transport, Rc::new(front), known, limits, Arc::clone(metrics), view);
            note(address, Box::pin(served).await);
        }
    }
}

fn note<E: std::error::Error>(client: SocketAddr, ended: Result<(), E>) {
    if let Err(error) = ended {
        let source = error.source().map(ToString::to_string);
        tracing::debug!(%client, %error, source, "downstream connection ended");
    }
}

fn count(error: &OpenError, metrics: &Metrics) {
    match error {
        OpenError::ProxyHeader(_) | OpenError::Untrusted(_) => metrics.downstream.proxy_header_failed(),
        OpenError::Handshake(_) => metrics.downstream.handshake_failed(),
        OpenError::Io(_) => {}
    }
}
