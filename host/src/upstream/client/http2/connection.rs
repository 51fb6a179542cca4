//! One HTTP/2 connection, and what is known about it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use hyper::client::conn::http2::{self, Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use super::super::open::Opener;
use super::super::stream::Stream as Socket;
use crate::message::Body;
use crate::upstream::{Endpoint, Settings, Upstream, UpstreamError};

/// How many streams are opened on a connection, at most; the peer may want fewer.
const MAX_STREAMS: usize = 100;

/// How many streams may be opened as long as the peer has not said how many: a number that no peer says.
const UNTOLD: usize = usize::MAX - 1;

/// How often one that wants a tunnel looks whether the peer's settings have come: hyper tells nobody when they do.
const SETTINGS_CHECK: Duration = Duration::from_millis(1);

/// How much of a response is taken in that its client has not taken yet.
const STREAM_WINDOW: u32 = 256 << 10;

/// Room for all streams: clients that do not read hold back nobody but themselves.
#[allow(clippy::cast_possible_truncation, reason = "a small constant")]
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MAX_STREAMS as u32;

/// How long the answer to a ping may take.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

type Driver = http2::Connection<TokioIo<Socket>, Body, Local>;

/// A connection that carries streams.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    driver: Rc<RefCell<Option<Driver>>>,
    streams: Cell<usize>,
    born: Instant,
    /// When the last stream ended.
    idle_since: Cell<Instant>,
    /// When a response began last.
    answered: Cell<Instant>,
    /// Takes no further streams.
    retired: Cell<bool>,
}

/// Opens a connection and starts the tasks that drive it.
pub(super) async fn open(
    upstream: &Upstream,
    opener: &Opener,
    endpoint: &Endpoint,
    within: Duration,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Rc<Connection>, UpstreamError> {
    let settings = &upstream.settings;
    let socket = opener.open(settings, endpoint, within).await?;
    let ping = settings.http2.map_or(Duration::MAX, |http2| http2.ping);
    let (sender, driver) = Builder::new(Local)
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(UNTOLD)
        .max_header_list_size(u32::try_from(settings.head.bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(ping)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake(TokioIo::new(socket))
        .await
        .map_err(|error| UpstreamError::protocol(endpoint, error))?;
    let driver = Rc::new(RefCell::new(Some(driver)));
    tokio::task::spawn_local(drive(Rc::clone(&driver), permit));
    Ok(Rc::new(Connection {
        sender,
        driver,
        streams: Cell::new(0),
        born: Instant::now(),
        idle_since: Cell::new(Instant::now()),
        answered: Cell::new(Instant::now()),
        retired: Cell::new(false),
    }))
}

/// Where the number of connections is bounded, the permit for one more.
pub(super) async fn permit(
    upstream: &Upstream,
    within: Duration,
) -> Result<Option<OwnedSemaphorePermit>, UpstreamError> {
    let Some(connections) = &upstream.limits.connections else { return Ok(None) };
    if let Some(permit) = connections.try_one() {
        return Ok(Some(permit));
    }
    let _pending = connections.wait()?;
    let full = |_| UpstreamError::Full { bound: "connections" };
    tokio::time::timeout(within, connections.one()).await.map_err(full)
}

/// Shared with whoever asks how many streams the peer takes, as only the driver knows. Dropped at its end, it gives back the
/// requests that it has not sent.
async fn drive(driver: Rc<RefCell<Option<Driver>>>, _permit: Option<OwnedSemaphorePermit>) {
    let ended = poll_fn(|cx| match &mut *driver.borrow_mut() {
        Some(driver) => Pin::new(driver).poll(cx),
        None => Poll::Ready(Ok(())),
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "upstream connection ended");
    }
    driver.take();
}

impl Connection {
    pub(super) fn sender(&self) -> SendRequest<Body> {
        self.sender.clone()
    }

    /// Whether there may be further streams: the peer has not said that it takes no more, it still answers, and the
    /// connection is not too old.
    pub(super) fn takes_streams(&self, settings: &Settings) -> bool {
        let is_old = settings.options.max_lifetime.is_some_and(|bound| self.born.elapsed() >= bound);
        let is_closed = self.sender.is_closed() || self.driver.borrow().is_none();
        !(is_old || is_closed || self.retired.get())
    }

    pub(super) fn has_room(&self) -> bool {
        let driver = self.driver.borrow();
        let most = driver.as_ref().map_or(0, Driver::current_max_send_streams);
        self.streams.get() < most.min(MAX_STREAMS)
    }

    /// Whether a stream may be a tunnel, as the peer's settings say. On a new connection they may have yet to come.
    pub(super) async fn takes_tunnels(&self) -> bool {
        loop {
            match &*self.driver.borrow() {
                Some(driver) if driver.is_extended_connect_protocol_enabled() => return true,
                Some(driver) if driver.current_max_send_streams() == UNTOLD => {}
                _ => return false,
            }
            sleep(SETTINGS_CHECK).await;
        }
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.get()
    }

    pub(super) fn is_idle(&self, bound: Duration) -> bool {
        self.streams.get() == 0 && self.idle_since.get().elapsed() >= bound
    }

    pub(super) fn stream_begins(&self) {
        self.streams.set(self.streams.get() + 1);
    }

    pub(super) fn stream_ends(&self) {
        self.streams.set(self.streams.get().saturating_sub(1));
        self.idle_since.set(Instant::now());
    }

    pub(super) fn answered(&self) {
        self.answered.set(Instant::now());
    }

    /// A request that was sent at `since` has got no answer. If no other has either, the peer may be gone without a word,
    /// and further requests should not wait for it.
    pub(super) fn suspect(&self, since: Instant) {
        if self.answered.get() < since {
            self.retired.set(true);
        }
    }
}

/// Runs hyper's tasks on this worker.
#[derive(Clone, Copy)]
pub(super) struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
