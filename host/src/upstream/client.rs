//! This worker's connections to one upstream.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::patience::Patience;
use super::pick::RoundRobin;
use super::{Endpoint, Upstream, UpstreamError};
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

/// A connection for one request, and whether it has served others.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Body>,
    pub(super) patience: Rc<Patience>,
    pub(super) reused: bool,
}

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
            idle.retain(|idle| !idle.connection.sender.is_closed() && idle.since.elapsed() < bound);
        }
    }

    /// A connection to the endpoint: the one used last, else a new one.
    pub(super) async fn connection(&self, endpoint: usize) -> Result<Connection, UpstreamError> {
        while let Some(mut connection) = self.take_idle(endpoint) {
            // Its response has been read, so this only waits for its task to notice.
            if connection.sender.ready().await.is_ok() {
                return Ok(connection);
            }
        }
        self.connect(endpoint).await
    }

    fn take_idle(&self, endpoint: usize) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let connection = idle[endpoint].pop_back()?.connection;
            if !connection.sender.is_closed() {
                return Some(connection);
            }
        }
    }

    fn put_idle(&self, endpoint: usize, mut connection: Connection) {
        let idle = &mut self.idle.borrow_mut()[endpoint];
        if !connection.sender.is_closed() && idle.len() < MAX_IDLE {
            connection.reused = true;
            idle.push_back(Idle { connection, since: Instant::now() });
        }
    }

    /// Opens a connection and starts the task that drives it.
    pub(super) async fn connect(&self, index: usize) -> Result<Connection, UpstreamError> {
        let upstream = &self.upstream;
        let endpoint = &upstream.endpoints[index];
        let failed = |source| UpstreamError::Connect { endpoint: endpoint.to_string(), source };
        let stream = match tokio::time::timeout(upstream.connect_timeout, open(endpoint)).await {
            Ok(stream) => stream.map_err(failed)?,
            Err(_) => return Err(failed(io::ErrorKind::TimedOut.into())),
        };
        let (sender, connection) = Builder::new()
            .max_headers(upstream.head.fields)
            .max_buf_size(upstream.head.bytes.max(8 << 10) * 4)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|source| UpstreamError::Protocol { endpoint: endpoint.to_string(), source })?;
        upstream.metrics.connected();
        let patience = Patience::new(upstream.first_byte_timeout);
        let watched = Rc::clone(&patience);
        tokio::task::spawn_local(async move {
            // Whoever waits for a response on it is told the same error; dropped, it is told that it was closed.
            tokio::select! {
                biased;
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "upstream connection ended");
                },
                () = watched.exhausted() => {}
            }
        });
        Ok(Connection { sender, patience, reused: false })
    }

    /// The body of a response; when it has ended, its connection can serve the next request.
    pub(super) fn body(self: &Rc<Self>, endpoint: usize, connection: Connection, body: Incoming) -> Body {
        if body.is_end_stream() {
            self.put_idle(endpoint, connection);
            return Body::Empty;
        }
        Body::boxed(PooledBody {
            inner: IdleTimeout::new(body, self.upstream.body_idle),
            home: Some((Rc::clone(self), endpoint, connection)),
        })
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
    inner: IdleTimeout<Incoming>,
    home: Option<(Rc<Pool>, usize, Connection)>,
}

impl PooledBody {
    fn go_home(&mut self) {
        if let Some((pool, endpoint, connection)) = self.home.take() {
            pool.put_idle(endpoint, connection);
        }
    }
}

impl HttpBody for PooledBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        match &frame {
            Poll::Ready(None) => self.go_home(),
            Poll::Ready(Some(Ok(_))) if self.inner.is_end_stream() => self.go_home(),
            Poll::Ready(Some(Err(_))) => self.home = None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
