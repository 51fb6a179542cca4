//! HTTP/1.1: one request after another.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;

use http::{HeaderValue, header};
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
        let (view, activity) = (view(), Rc::clone(&known.activity));
        async move {
            let mut response = exchange::serve(view, &front.client, &front.settings, activity, request).await;
            front.mark(&mut response);
            if draining.get() {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .max_headers(limits.header_fields)
            .max_buf_size(limits.header_bytes)
            .serve_connection(Watched::new(transport, Rc::clone(&known.activity)), service)
    );
    tokio::select! {
        // A request that has come with the connection is served, even in a drain.
        biased;
        ended = connection.as_mut() => return ended,
        () = known.stop.cancelled() => {}
    }
    if known.cut.get() {
        return Ok(());
    }
    draining.set(true);
    tokio::select! {
        biased;
        ended = connection => ended,
        () = known.is_cut() => Ok(()),
    }
}
