//! This worker's connections to one upstream.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::http1::{Answer, Conversation};
use super::pick::RoundRobin;
use super::{Endpoint, Upstream, UpstreamError, http1};
use crate::message::{Body, BodyError, IdleTimeout};

/// How many unused connections to one endpoint a worker keeps.
const MAX_IDLE: usize = 256;

/// An upstream as one worker uses it.
pub struct Pool {
    /// The upstream.
    pub upstream: Arc<Upstream>,
    pub(super) turns: RoundRobin,
    /// Unused connections by endpoint, the most recently used last.
    idle: RefCell<Vec<VecDeque<Idle>>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection to an endpoint.
pub(super) type Connection = http1::Connection<TcpStream>;

impl Pool {
    /// A pool without connections.
    #[must_use]
    pub fn new(upstream: Arc<Upstream>) -> Rc<Self> {
        let idle = upstream.endpoints.iter().map(|_| VecDeque::new()).collect();
        Rc::new(Self { upstream, turns: RoundRobin::default(), idle: RefCell::new(idle) })
    }

    /// Drops the connections that have been unused for too long. Called every now and then.
    pub fn sweep(&self) {
        let bound = self.upstream.idle_timeout;
        for idle in self.idle.borrow_mut().iter_mut() {
            idle.retain_mut(|idle| idle.connection.is_usable() && idle.since.elapsed() < bound);
        }
    }

    /// Drops all connections that are unused.
    pub fn release_idle(&self) {
        self.idle.borrow_mut().iter_mut().for_each(VecDeque::clear);
    }

    /// A connection to the endpoint: the one used last, else a new one.
    pub(super) async fn connection(&self, endpoint: usize) -> Result<Connection, UpstreamError> {
        match self.take_idle(endpoint) {
            Some(connection) => Ok(connection),
            None => self.connect(endpoint).await,
        }
    }

    fn take_idle(&self, endpoint: usize) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let mut connection = idle[endpoint].pop_back()?.connection;
            if connection.is_usable() {
                return Some(connection);
            }
        }
    }

    fn put_idle(&self, endpoint: usize, conversation: Conversation<TcpStream>) {
        let idle = &mut self.idle.borrow_mut()[endpoint];
        if idle.len() < MAX_IDLE
            && let Some(connection) = conversation.into_idle()
        {
            idle.push_back(Idle { connection, since: Instant::now() });
        }
    }

    /// Opens a connection.
    pub(super) async fn connect(&self, index: usize) -> Result<Connection, UpstreamError> {
        let upstream = &self.upstream;
        let endpoint = &upstream.endpoints[index];
        let failed = |source| UpstreamError::Connect { endpoint: endpoint.to_string(), source };
        let stream = match tokio::time::timeout(upstream.connect_timeout, open(endpoint)).await {
            Ok(stream) => stream.map_err(failed)?,
            Err(_) => return Err(failed(io::ErrorKind::TimedOut.into())),
        };
        upstream.metrics.connected();
        Ok(Connection::new(stream, upstream.head, upstream.first_byte_timeout))
    }

    /// The response, whose content brings the connection back when it has ended.
    pub(super) fn response(
        self: &Rc<Self>,
        endpoint: usize,
        connection: Connection,
        answer: Answer,
    ) -> (response::Parts, Body) {
        let (head, mut conversation) = connection.converse(answer);
        if let Some(content) = conversation.take_whole() {
            self.put_idle(endpoint, conversation);
            return (head, Body::full(content));
        }
        let inner = IdleTimeout::new(conversation, self.upstream.body_idle);
        (head, Body::boxed(PooledBody { inner: Some(inner), home: Rc::clone(self), endpoint }))
    }
}

async fn open(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
    // Heads and small bodies go out at once.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The content of a response. Dropped before its end, it closes its connection: what is left of it would be taken for
/// the next response.
struct PooledBody {
    inner: Option<IdleTimeout<Conversation<TcpStream>>>,
    home: Rc<Pool>,
    endpoint: usize,
}

impl HttpBody for PooledBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *inner).poll_frame(cx);
        let is_over = match &frame {
            Poll::Ready(Some(Ok(_))) => inner.is_end_stream(),
            Poll::Ready(None | Some(Err(_))) => true,
            Poll::Pending => false,
        };
        // After an error it is not usable, and closed here.
        if is_over && let Some(inner) = this.inner.take() {
            this.home.put_idle(this.endpoint, inner.into_inner());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}
