//! Copies of requests for a second upstream. Nothing here holds the original up: a mirror that cannot keep pace loses its
//! copy, and nobody waits for its response.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header, request};
use http_body::Body as _;

use super::copy::copied;
use crate::message::{Body, ClientInfo};
use crate::route::Mirror;
use crate::snapshot::View;
use crate::telemetry::{CopyLost, MirrorMetrics};
use crate::upstream::{CallOptions, Caller, Pool};

/// Tells copies from originals.
const MARK: HeaderName = HeaderName::from_static("x-tollgate-mirror");

/// How many copies a worker has under way at most.
const MAX_COPIES: usize = 128;

/// How long a copy may take, from the request's head to the response's end.
const LONGEST: Duration = Duration::from_secs(60);

/// How much of a response is read so that its connection can be used again. One with more is closed.
const MAX_DISCARDED: usize = 1 << 20;

/// Begins a copy of the request, if it is the turn of this one; gives the body for the original.
pub(super) fn copy_to(
    mirror: &Mirror,
    view: &View,
    client: &Arc<ClientInfo>,
    route: usize,
    head: &mut request::Parts,
    body: Body,
) -> Body {
    // Only copies have it, whatever clients send.
    head.headers.remove(MARK);
    let Some(metrics) = &view.snapshot.targets[route].mirror_metrics else { return body };
    // What follows an upgrade is no request that could be copied.
    if !view.turns(route).mirrors(mirror.percent) || head.headers.contains_key(header::UPGRADE) {
        return body;
    }
    let Some(under_way) = UnderWay::enter(view.copies()) else {
        metrics.lost(CopyLost::Busy);
        return body;
    };
    let (body, copy, fate) = copied(body, mirror.buffer);
    let request = marked(head, copy);
    let (pool, metrics, client) = (Rc::clone(view.pool(mirror.upstream)), Arc::clone(metrics), Arc::clone(client));
    tokio::task::spawn_local(async move {
        let _under_way = under_way;
        let answered =
            tokio::time::timeout(LONGEST, send(&pool, request, &client)).await.unwrap_or(Err(CopyLost::Slow));
        count(&metrics, answered, fate.lost());
    });
    body
}

/// The request's head as the upstream gets it, with the mark of a copy.
fn marked(head: &request::Parts, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.headers_mut() = head.headers.clone();
    request.headers_mut().insert(MARK, HeaderValue::from_static("1"));
    request
}

/// Sends a copy and reads its response for nobody.
async fn send(pool: &Rc<Pool>, request: Request<Body>, client: &ClientInfo) -> Result<(), CopyLost> {
    // A copy is not worth a retry, whatever the route says.
    let options = CallOptions::default();
    let (head, body) = request.into_parts();
    let response = pool.call(&head, body, Caller { options: &options, client }).await.map_err(|_| CopyLost::Failed)?;
    let mut body = response.into_body();
    let mut left = MAX_DISCARDED;
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let length = frame.map_err(|_| CopyLost::Failed)?.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => break,
        }
    }
    Ok(())
}

/// A copy without its whole body fails, but for the reason that it has lost it.
fn count(metrics: &MirrorMetrics, answered: Result<(), CopyLost>, body_lost: Option<CopyLost>) {
    match answered {
        Ok(()) => metrics.answered(),
        Err(why) => metrics.lost(body_lost.unwrap_or(why)),
    }
}

/// One of the copies that are under way on this worker.
struct UnderWay(Rc<Cell<usize>>);

impl UnderWay {
    fn enter(copies: &Rc<Cell<usize>>) -> Option<Self> {
        let count = copies.get();
        (count < MAX_COPIES).then(|| {
            copies.set(count + 1);
            Self(Rc::clone(copies))
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
