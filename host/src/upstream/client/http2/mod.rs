//! HTTP/2: a connection carries many requests at a time, so each endpoint has one, and more only where the peer takes no
//! more streams on it (RFC 9113, section 5.1.2).

mod connection;
mod head;
mod replay;
mod stream;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, request};
use tokio::sync::watch;

use self::connection::Connection;
pub(in crate::upstream) use self::stream::Stream;
use super::open::Opener;
use crate::message::Body;
use crate::upstream::local::Local;
use crate::upstream::{Endpoint, Settings, Upstream, UpstreamError};

/// How many connections to one endpoint a worker has. When all are full, requests wait for a stream.
const MAX_CONNECTIONS: usize = 16;

/// This worker's connections to one endpoint.
#[derive(Default)]
pub(in crate::upstream) struct Connections {
    open: RefCell<Vec<Rc<Connection>>>,
    /// One that is being opened. Whoever needs one waits for the same.
    opening: RefCell<Option<watch::Receiver<Opening>>>,
}

/// How the opening of a connection stands: under way, done, or why it failed.
type Opening = Option<Result<(), Rc<UpstreamError>>>;

impl Connections {
    /// Drops those that have been unused for too long or are too old.
    pub(in crate::upstream) fn sweep(&self, settings: &Settings) {
        self.open
            .borrow_mut()
            .retain(|connection| connection.takes_streams(settings) && !connection.is_idle(settings.idle_timeout));
    }

    /// Closes one that is not used, for others who need its permit; says whether there was one.
    pub(in crate::upstream) fn give_up(&self) -> bool {
        let mut open = self.open.borrow_mut();
        let unused = open.iter().position(|connection| connection.streams() == 0);
        unused.map(|index| open.swap_remove(index)).is_some()
    }

    /// A stream on a connection that has room for it.
    fn stream(&self, settings: &Settings) -> Option<Stream> {
        let mut open = self.open.borrow_mut();
        open.retain(|connection| connection.takes_streams(settings));
        let connection = match open.iter().find(|connection| connection.has_room()) {
            None if open.len() >= MAX_CONNECTIONS => open.iter().min_by_key(|connection| connection.streams()),
            found => found,
        };
        connection.map(|connection| Stream::new(Rc::clone(connection)))
    }
}

/// A stream on a connection to the endpoint, one that stands or a new one.
pub(super) async fn stream(
    upstream: &Arc<Upstream>,
    opener: &Rc<Opener>,
    local: &Rc<Local>,
    within: Duration,
) -> Result<Stream, UpstreamError> {
    loop {
        if let Some(stream) = local.http2.stream(&upstream.settings) {
            return Ok(stream);
        }
        let opening = opening(upstream, opener, local, within);
        outcome(local, opening).await?;
    }
}

/// What a request without content is answered, on a connection of its own.
pub(in crate::upstream) async fn ask(
    upstream: &Upstream,
    endpoint: &Endpoint,
    head: &request::Parts,
    within: Duration,
) -> Result<StatusCode, UpstreamError> {
    let settings = &upstream.settings;
    let connection = connection::open(upstream, &Opener::new(settings), endpoint, within, None).await?;
    let answer = Stream::new(connection).call(head, Body::Empty, endpoint, settings, within).await;
    answer.map(|response| response.status()).map_err(|(error, _)| error)
}

/// Sees to it that there is a connection.
pub(in crate::upstream) fn warm(upstream: &Arc<Upstream>, opener: &Rc<Opener>, local: &Rc<Local>) {
    if local.http2.open.borrow().is_empty() {
        opening(upstream, opener, local, upstream.settings.connect_timeout);
    }
}

/// Opens a connection, unless one is being opened, in a task of its own: the request that needed it first may be given up
/// meanwhile.
fn opening(
    upstream: &Arc<Upstream>,
    opener: &Rc<Opener>,
    local: &Rc<Local>,
    within: Duration,
) -> watch::Receiver<Opening> {
    if let Some(opening) = &*local.http2.opening.borrow() {
        return opening.clone();
    }
    let (done, opening) = watch::channel(None);
    local.http2.opening.replace(Some(opening.clone()));
    let (upstream, opener, local) = (Arc::clone(upstream), Rc::clone(opener), Rc::clone(local));
    tokio::task::spawn_local(async move {
        let opened = async {
            let permit = connection::permit(&upstream, within).await?;
            connection::open(&upstream, &opener, &local.endpoint, within, permit).await
        };
        let opened = opened.await;
        local.http2.opening.take();
        let outcome = opened.map_err(Rc::new).map(|connection| {
            upstream.metrics.connected();
            local.http2.open.borrow_mut().push(connection);
        });
        done.send_replace(Some(outcome));
    });
    opening
}

async fn outcome(local: &Local, mut opening: watch::Receiver<Opening>) -> Result<(), UpstreamError> {
    let failed = |source| UpstreamError::Connect { endpoint: local.endpoint.to_string(), source };
    let outcome = opening.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
    match outcome {
        Ok(Some(Err(error))) => Err(match &*error {
            UpstreamError::Connect { source, .. } => failed(same(source)),
            UpstreamError::Full { bound } => UpstreamError::Full { bound },
            error => failed(io::Error::other(error.to_string())),
        }),
        Ok(_) => Ok(()),
        Err(_) => Err(failed(io::Error::other("the worker stops"))),
    }
}

/// The same error, for another who waited for the same connection.
fn same(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
