//! HTTP/1.1: one request after another.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use http::{HeaderValue, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;

use super::io::Watched;
use super::transport::Transport;
use super::{Connection, Front};
use crate::config::Limits;
use crate::exchange;
use crate::snapshot::View;

pub(super) async fn serve(
    transport: Transport,
    front: &Front,
    known: &Connection,
    limits: &Limits,
    view: impl Fn() -> Rc<View>,
) -> hyper::Result<()> {
    let draining = &Cell::new(false);
    let service = service_fn(|request| {
        let (view, activity, handover) = (view(), Rc::clone(&known.activity), &known.handover);
        async move {
            let served = exchange::serve(view, &front.client, &front.settings, activity, handover, request);
            let mut response = served.await;
            front.mark(&mut response);
            if draining.get() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = http1::Builder::new()
        .max_headers(limits.header_fields)
        .max_buf_size(limits.header_bytes)
        .serve_connection(Watched::new(transport, Rc::clone(&known.activity)), service);
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
