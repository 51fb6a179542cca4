//! One downstream connection, in a task of its own.

mod io;

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use self::io::Watched;
use crate::config::Limits;
use crate::exchange;
use crate::message::{Activity, ClientInfo, Seconds};
use crate::snapshot::View;

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
        if self.activity.is_overdue(limits.header_timeout, limits.keep_alive) {
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
}

/// Serves the requests of a connection one after another, each on the snapshot that is current when it comes. On drain the
/// running exchange ends and no further one begins.
pub async fn serve(
    stream: TcpStream,
    client: Arc<ClientInfo>,
    known: &Connection,
    limits: &Limits,
    view: impl Fn() -> Rc<View>,
) {
    // Heads and small bodies go out at once.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let (view, client, activity) = (view(), &client, Rc::clone(&known.activity));
        async move { Ok::<_, Infallible>(exchange::serve(view, client, activity, request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .max_headers(limits.header_fields)
            .max_buf_size(limits.header_bytes)
            .serve_connection(Watched::new(stream, Rc::clone(&known.activity)), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = known.stop.cancelled() => {
            if known.cut.get() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(client = %client.address, %error, "downstream connection ended");
    }
}
