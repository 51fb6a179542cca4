//! This worker's connections to one upstream: HTTP/1.1, one request at a time on each, or HTTP/2, many on each.

mod body;
mod http2;
mod open;
mod stream;

pub(super) use self::http2::{Connections as Http2Connections, Stream as Http2Stream, ask, warm as warm_http2};
pub(super) use self::open::Opener;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, response};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use self::body::PooledBody;
use self::stream::Stream;
use super::budget::Budget;
use super::call::Reply;
use super::http1;
use super::limits::Counted;
use super::local::{Lease, Local, LocalSet};
use super::pick::Picker;
use super::{Endpoint, Upstream, UpstreamError};
use crate::message::{Body, IdleTimeout, Upgraded};
use crate::telemetry;

/// An upstream as one worker uses it.
pub struct Pool {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    set: RefCell<Rc<LocalSet>>,
    pub(super) picker: Picker,
    pub(super) budget: Budget,
    pub(super) opener: Rc<Opener>,
    /// Whether it is told of requests that wait for connections.
    pub(super) listens: Cell<bool>,
}

/// An unused connection.
pub(super) struct Idle {
    connection: Box<Connection>,
    /// When it was first seen unused: to ask for the time whenever one is put back would cost each request.
    seen: Option<Instant>,
}

/// A connection to an endpoint. Boxed once, for as long as it stands: it changes hands several times for each request.
pub(super) struct Connection {
    pub(super) wire: http1::Connection<Stream>,
    born: Instant,
    permit: Option<OwnedSemaphorePermit>,
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
        let opener = Rc::new(Opener::new(&upstream.settings));
        let (set, listens) = (RefCell::new(set), Cell::new(false));
        Rc::new(Self { upstream, set, picker, budget: Budget::default(), opener, listens })
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
        let (set, now) = (self.endpoints(), Instant::now());
        for local in &set.all {
            local.idle.borrow_mut().retain_mut(|idle| self.is_fit(idle, now));
            local.http2.sweep(&self.upstream.settings);
        }
        self.listen();
        if self.upstream.settings.options.warm > 0 {
            set.usable.iter().for_each(|(local, _)| self.warm(local));
        }
    }

    /// Drops all connections that are unused.
    pub fn release_idle(&self) {
        for local in &self.endpoints().all {
            local.idle.borrow_mut().clear();
            while local.http2.give_up() {}
        }
    }

    fn is_fit(&self, idle: &mut Idle, now: Instant) -> bool {
        let seen = *idle.seen.get_or_insert(now);
        idle.connection.wire.is_usable()
            && now.duration_since(seen) < self.upstream.settings.idle_timeout
            && !self.is_old(&idle.connection)
    }

    fn is_old(&self, connection: &Connection) -> bool {
        let bound = self.upstream.settings.options.max_lifetime;
        bound.is_some_and(|bound| connection.born.elapsed() >= bound)
    }

    /// A stream on a connection of HTTP/2 to the endpoint, one that stands or a new one.
    pub(super) async fn stream(&self, local: &Rc<Local>, within: Duration) -> Result<Http2Stream, UpstreamError> {
        http2::stream(&self.upstream, &self.opener, local, within).await
    }

    /// A connection to the endpoint: the one used last, else a new one, else the first that becomes free.
    pub(super) async fn connection(
        &self,
        local: &Rc<Local>,
        within: Duration,
    ) -> Result<Box<Connection>, UpstreamError> {
        match self.take_idle(local) {
            Some(connection) => Ok(connection),
            None => Box::pin(self.new_connection(local, within)).await,
        }
    }

    pub(super) fn take_idle(&self, local: &Local) -> Option<Box<Connection>> {
        let mut idle = local.idle.borrow_mut();
        loop {
            let mut connection = idle.pop_back()?.connection;
            if connection.wire.is_usable() && !self.is_old(&connection) {
                return Some(connection);
            }
        }
    }

    pub(super) fn put_idle(&self, local: &Local, connection: Box<Connection>) {
        if self.is_old(&connection) || !self.may_keep(local) {
            return;
        }
        let mut idle = local.idle.borrow_mut();
        if idle.len() < self.upstream.settings.options.idle_connections {
            idle.push_back(Idle { connection, seen: None });
        }
    }

    /// Puts back a connection that a response has come on, if it can serve another request.
    fn bring_home(&self, custody: &Custody, mut connection: Box<Connection>) {
        if connection.wire.settle() {
            self.put_idle(custody.lease.local(), connection);
        }
    }

    /// Opens a connection. The permit goes with it.
    pub(super) async fn connect(
        &self,
        local: &Local,
        permit: Option<OwnedSemaphorePermit>,
        within: Duration,
    ) -> Result<Box<Connection>, UpstreamError> {
        let connection = dial(&self.upstream, &self.opener, &local.endpoint, permit, within).await?;
        self.upstream.metrics.connected();
        Ok(connection)
    }

    /// The response, whose content brings the connection back when it has ended.
    pub(super) fn response(self: &Rc<Self>, custody: Custody, reply: Reply, idle: Duration) -> (response::Parts, Body) {
        let (head, mut connection) = match reply {
            Reply::Http1(head, connection) => (head, connection),
            Reply::Http2(response, stream) => return stream.response(response, custody, idle),
        };
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let Connection { wire, permit, .. } = *connection;
            let (stream, read) = wire.into_stream();
            let upgraded = Upgraded::new(TokioIo::new(stream), read).with((custody, permit));
            return (head, Body::Upgraded(Box::new(upgraded)));
        }
        if let Some(content) = connection.wire.take_whole() {
            self.bring_home(&custody, connection);
            return (head, Body::full(content));
        }
        let inner = IdleTimeout::new(connection, idle);
        (head, Body::boxed(PooledBody { inner: Some(inner), home: Rc::clone(self), custody }))
    }
}

/// Opens a connection to an endpoint.
pub(super) async fn dial(
    upstream: &Upstream,
    opener: &Opener,
    endpoint: &Endpoint,
    permit: Option<OwnedSemaphorePermit>,
    within: Duration,
) -> Result<Box<Connection>, UpstreamError> {
    let settings = &upstream.settings;
    let stream = opener.open(settings, endpoint, within).await?;
    let wire = http1::Connection::new(stream, settings.head, settings.first_byte_timeout);
    Ok(Box::new(Connection { wire, born: Instant::now(), permit }))
}
