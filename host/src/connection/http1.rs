//! HTTP/1.1: one request after another.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;

use super::intake::{Downstream, Intake};
use super::io::Watched;
use super::transport::Transport;
use super::{Connection, Front};
use crate::config::Limits;
use crate::exchange;
use crate::framing::Guarded;
use crate::snapshot::View;

/// hyper must not find a buffer full that holds a head of the greatest size.
const SLACK: usize = 1 << 10;

pub(super) async fn serve(
    transport: Transport,
    front: &Front,
    known: &Connection,
    limits: &Limits,
    view: impl Fn() -> Rc<View>,
) -> hyper::Result<()> {
    let draining = &Cell::new(false);
    let intake = Rc::new(Intake::default());
    let service = service_fn(|request| {
        let (view, activity, intake) = (view(), Rc::clone(&known.activity), Rc::clone(&intake));
        let handover = &known.handover;
        async move {
            let mut response = match intake.begin() {
                None => exchange::serve(view, &front.client, &front.settings, activity, handover, request).await,
                Some(violation) => exchange::decline(view, &front.client, activity, request, violation),
            };
            front.mark(&mut response);
            if draining.get() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            intake.answered(response.status());
            Ok::<_, Infallible>(response)
        }
    });
    let socket = guarded(Watched::new(transport, Rc::clone(&known.activity)), &intake, front, &view());
    let mut connection = http1::Builder::new()
        .max_headers(limits.header_fields)
        // Heads come as a whole and are within their bounds by then.
        .max_buf_size(limits.header_bytes + SLACK)
        .serve_connection(socket, service);
    let ended = tokio::select! {
        // A request that has come with the connection is served, even in a drain.
        biased;
        ended = &mut connection => Some(ended),
        () = known.stop.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None if known.cut.get() => return Ok(()),
        None => {
            draining.set(true);
            tokio::select! {
                biased;
                ended = &mut connection => ended,
                () = known.is_cut() => return Ok(()),
            }
        }
    };
    // hyper leaves the socket open if it has written a 101.
    if ended.is_ok() && known.handover.is_due() {
        let parts = connection.into_parts();
        Box::pin(known.handover.run(parts.io, parts.read_buf)).await;
    }
    ended
}

/// The socket, behind the rules of the current snapshot; it does not hold on to that.
fn guarded(socket: Watched, intake: &Rc<Intake>, front: &Front, view: &View) -> Guarded<Watched, Downstream> {
    let (metrics, client) = (Arc::clone(&view.snapshot.metrics), Arc::clone(&front.client));
    Guarded::new(socket, Downstream { intake: Rc::clone(intake), metrics, client }, view.snapshot.framing)
}
