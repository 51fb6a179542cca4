//! This worker's connections to one upstream.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::budget::Budget;
use super::http1::{self, Answer, Conversation};
use super::limits::Counted;
use super::local::{Lease, Local, LocalSet};
use super::pick::Picker;
use super::{Endpoint, Upstream, UpstreamError};
use crate::message::{Body, BodyError, IdleTimeout};
use crate::telemetry;

/// An upstream as one worker uses it.
pub struct Pool {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    set: RefCell<Rc<LocalSet>>,
    pub(super) picker: Picker,
    pub(super) budget: Budget,
    /// Whether it is told of requests that wait for connections.
    pub(super) listens: Cell<bool>,
}

/// An unused connection.
pub(super) struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection to an endpoint.
pub(super) struct Connection {
    pub(super) wire: http1::Connection<TcpStream>,
    origin: Origin,
}

/// What goes with a connection for as long as it stands.
struct Origin {
    born: Instant,
    _permit: Option<OwnedSemaphorePermit>,
}

/// What goes with a request until its response has ended.
pub(super) struct Custody {
    pub(super) lease: Lease,
    /// The request's place among those that are bounded.
    pub(super) _counted: Option<Counted>,
}

impl Pool {
    /// A pool with the connections that `previous` has to the same endpoints, if they can be used as they are.
    #[must_use]
    pub fn new(upstream: Arc<Upstream>, previous: Option<&Self>) -> Rc<Self> {
        let usable = |previous: &&Self| previous.upstream.settings.speaks_as(&upstream.settings);
        let previous = previous.filter(usable).map(|previous| Rc::clone(&previous.set.borrow()));
        let set = LocalSet::new(upstream.endpoints.load(), previous.as_ref().map_or(&[], |set| &set.all));
        let picker = Picker::of_worker(telemetry::lane());
        Rc::new(Self { upstream, set: RefCell::new(set), picker, budget: Budget::default(), listens: Cell::new(false) })
    }

    /// The endpoints as they are now.
    pub(super) fn endpoints(&self) -> Rc<LocalSet> {
        let mut set = self.set.borrow_mut();
        if !self.upstream.endpoints.is_current(&set.shared) {
            let new = LocalSet::new(self.upstream.endpoints.load(), &set.all);
            *set = new;
        }
        Rc::clone(&set)
    }

    /// Drops the connections that have been unused for too long, and opens some ahead. Called every now and then.
    pub fn sweep(self: &Rc<Self>) {
        let set = self.endpoints();
        for local in &set.all {
            local.idle.borrow_mut().retain_mut(|idle| self.is_fit(idle));
        }
        self.listen();
        if self.upstream.settings.options.warm > 0 {
            set.usable.iter().for_each(|(local, _)| self.warm(local));
        }
    }

    /// Drops all connections that are unused.
    pub fn release_idle(&self) {
        self.endpoints().all.iter().for_each(|local| local.idle.borrow_mut().clear());
    }

    fn is_fit(&self, idle: &mut Idle) -> bool {
        idle.connection.wire.is_usable()
            && idle.since.elapsed() < self.upstream.settings.idle_timeout
            && !self.is_old(&idle.connection.origin)
    }

    fn is_old(&self, origin: &Origin) -> bool {
        let bound = self.upstream.settings.options.max_lifetime;
        bound.is_some_and(|bound| origin.born.elapsed() >= bound)
    }

    /// A connection to the endpoint: the one used last, else a new one, else the first that becomes free.
    pub(super) async fn connection(&self, local: &Rc<Local>, within: Duration) -> Result<Connection, UpstreamError> {
        match self.take_idle(local) {
            Some(connection) => Ok(connection),
            None => self.new_connection(local, within).await,
        }
    }

    pub(super) fn take_idle(&self, local: &Local) -> Option<Connection> {
        let mut idle = local.idle.borrow_mut();
        loop {
            let mut connection = idle.pop_back()?.connection;
            if connection.wire.is_usable() && !self.is_old(&connection.origin) {
                return Some(connection);
            }
        }
    }

    pub(super) fn put_idle(&self, local: &Local, connection: Connection) {
        if self.is_old(&connection.origin) {
            return;
        }
        if !self.may_keep(local) {
            return;
        }
        let mut idle = local.idle.borrow_mut();
        if idle.len() < self.upstream.settings.options.idle_connections {
            idle.push_back(Idle { connection, since: Instant::now() });
        }
    }

    /// Puts back a connection that a response has come on, if it can serve another request.
    fn bring_home(&self, custody: &Custody, conversation: Conversation<TcpStream>, origin: Origin) {
        if let Some(wire) = conversation.into_idle() {
            self.put_idle(custody.lease.local(), Connection { wire, origin });
        }
    }

    /// Opens a connection. The permit goes with it.
    pub(super) async fn connect(
        &self,
        local: &Local,
        permit: Option<OwnedSemaphorePermit>,
        within: Duration,
    ) -> Result<Connection, UpstreamError> {
        let connection = dial(&self.upstream, &local.endpoint, permit, within).await?;
        self.upstream.metrics.connected();
        Ok(connection)
    }

    /// The response, whose content brings the connection back when it has ended.
    pub(super) fn response(
        self: &Rc<Self>,
        custody: Custody,
        connection: Connection,
        answer: Answer,
        idle: Duration,
    ) -> (response::Parts, Body) {
        let (head, mut conversation) = connection.wire.converse(answer);
        if let Some(content) = conversation.take_whole() {
            self.bring_home(&custody, conversation, connection.origin);
            return (head, Body::full(content));
        }
        let inner = IdleTimeout::new(conversation, idle);
        (head, Body::boxed(PooledBody { inner: Some((inner, connection.origin)), home: Rc::clone(self), custody }))
    }
}

/// Opens a connection to an endpoint.
pub(super) async fn dial(
    upstream: &Upstream,
    endpoint: &Endpoint,
    permit: Option<OwnedSemaphorePermit>,
    within: Duration,
) -> Result<Connection, UpstreamError> {
    let settings = &upstream.settings;
    let failed = |source| UpstreamError::Connect { endpoint: endpoint.to_string(), source };
    let stream = match tokio::time::timeout(within, open(endpoint)).await {
        Ok(stream) => stream.map_err(failed)?,
        Err(_) => return Err(failed(io::ErrorKind::TimedOut.into())),
    };
    let wire = http1::Connection::new(stream, settings.head, settings.first_byte_timeout);
    Ok(Connection { wire, origin: Origin { born: Instant::now(), _permit: permit } })
}

async fn open(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(endpoint.address).await?;
    // Heads and small bodies go out at once.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The content of a response. Dropped before its end, it closes its connection: what is left of it would be taken for
/// the next response.
struct PooledBody {
    inner: Option<(IdleTimeout<Conversation<TcpStream>>, Origin)>,
    home: Rc<Pool>,
    custody: Custody,
}

impl HttpBody for PooledBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some((inner, _)) = &mut this.inner else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *inner).poll_frame(cx);
        let is_over = match &frame {
            Poll::Ready(Some(Ok(_))) => inner.is_end_stream(),
            Poll::Ready(None | Some(Err(_))) => true,
            Poll::Pending => false,
        };
        // After an error it is not usable, and closed here.
        if is_over && let Some((inner, origin)) = this.inner.take() {
            this.home.bring_home(&this.custody, inner.into_inner(), origin);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|(inner, _)| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), |(inner, _)| inner.size_hint())
    }
}
