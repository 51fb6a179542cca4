//! HTTP/1.1: one request after another.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;

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
    let service = service_fn(|request| {
        let (view, activity) = (view(), Rc::clone(&known.activity));
        async move {
            let mut response = exchange::serve(view, &front.client, &front.settings, activity, request).await;
            front.mark(&mut response);
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
        ended = connection.as_mut() => ended,
        () = known.stop.cancelled() => {
            if known.cut.get() {
                return Ok(());
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}
