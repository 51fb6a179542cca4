//! HTTP/2 (RFC 9113): many requests at once, each in a task of its own.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::frames::Watched;
use super::streams::Streams;
use super::transport::Transport;
use super::{Connection, Front};
use crate::config::Limits;
use crate::exchange;
use crate::message::{Body, BodyError};
use crate::snapshot::View;
use crate::telemetry::Metrics;

/// What a client may send of one body before it has been read, and of all bodies of a connection. One stream that stands
/// still leaves room for others.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// How much of one response is buffered when the client is slow to take it.
const SEND_BUFFER: usize = 64 << 10;

/// How many streams of a connection may end because of the client's own mistakes (CVE-2025-8671).
const MOST_ERRORS: usize = 100;

/// How long a client that was idle for too long has to take its leave.
const FAREWELL: Duration = Duration::from_secs(5);

pub(super) async fn serve(
    transport: Transport,
    front: Rc<Front>,
    known: &Connection,
    limits: &Limits,
    metrics: Arc<Metrics>,
    view: impl Fn() -> Rc<View>,
) -> hyper::Result<()> {
    known.activity.opened();
    let streams = Streams::new(limits.body_idle);
    let handover = Rc::clone(&known.handover);
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
        let (head, body) = request.into_parts();
        let mut head = head.into();
        let body = Body::incoming(body.map_err(BodyError::Peer));
        let (view, front, activity) = (view(), Rc::clone(&front), Rc::clone(&known.activity));
        let (streams, handover) = (streams.clone(), Rc::clone(&handover));
        async move {
            let (client, settings) = (&front.client, &front.settings);
            // Pinned where it is made: it is large, and every move would be a copy.
            let served = pin!(exchange::serve(view, client, settings, activity, &handover, &mut head, body));
            let mut response = served.await;
            if response.body().is_cut() {
                // The stream is reset.
                return Err("a filter has cut the exchange");
            }
            front.mark(&mut response);
            Ok(response.map(|body| streams.pace(body)))
        }
    });
    let io = TokioIo::new(Watched::new(transport, Rc::clone(&known.activity), metrics));
    let mut connection = pin!(builder(&streams, limits).serve_connection(io, service));
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        () = known.stop.cancelled() => {}
    }
    if known.activity.is_stuck(limits.body_idle) {
        return Ok(());
    }
    // GOAWAY, and the open streams end (section 6.8).
    connection.as_mut().graceful_shutdown();
    match known.cut.get() {
        true => tokio::time::timeout(FAREWELL, connection).await.unwrap_or(Ok(())),
        false => connection.await,
    }
}

fn builder(streams: &Streams, limits: &Limits) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams.clone());
    builder
        // WebSockets and the like on a stream (RFC 8441).
        .enable_connect_protocol()
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_local_error_reset_streams(MOST_ERRORS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    builder
}
