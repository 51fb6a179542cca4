//! What takes callouts of filters out: an upstream's connections, from the request to the last byte of the response.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;

use crate::message::{Body, ClientInfo};
use crate::sandbox::{Callout, CalloutError, CalloutResponse, Carrier, LocalFuture};
use crate::upstream::{CallOptions, Caller, Pool, UpstreamError};

/// Fields that say how a response came, not what it is (RFC 9110, section 7.6.1).
const OF_THE_CONNECTION: [header::HeaderName; 4] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::TRAILER];

/// Takes callouts to the upstreams that `find` knows, on behalf of a client.
pub struct Outlet<F> {
    find: F,
    client: Arc<ClientInfo>,
}

impl<F> Outlet<F>
where
    F: Fn(&str) -> Option<Rc<Pool>>,
{
    /// An outlet for what is done for a client.
    pub fn new(client: Arc<ClientInfo>, find: F) -> Self {
        Self { find, client }
    }
}

impl<F> Carrier for Outlet<F>
where
    F: Fn(&str) -> Option<Rc<Pool>>,
{
    fn carry(&self, callout: Callout) -> LocalFuture<Result<CalloutResponse, CalloutError>> {
        let (pool, client) = ((self.find)(&callout.upstream), Arc::clone(&self.client));
        Box::pin(async move {
            let pool = pool.ok_or(CalloutError::Unavailable)?;
            let Callout { request, timeout, body_limit, .. } = callout;
            let exchange = send(&pool, request, &client, body_limit);
            tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(CalloutError::Timeout))
        })
    }
}

/// Who asks where no client has.
#[must_use]
pub fn nobody(name: &str) -> Arc<ClientInfo> {
    Arc::new(ClientInfo::new(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), name.into(), "http"))
}

async fn send(
    pool: &Rc<Pool>,
    request: Request<Bytes>,
    client: &ClientInfo,
    limit: u64,
) -> Result<CalloutResponse, CalloutError> {
    let (mut head, body) = request.into_parts();
    if !head.headers.contains_key(header::HOST) {
        let host = HeaderValue::from_str(&pool.upstream.authority()).map_err(|_| CalloutError::Unavailable)?;
        head.headers.insert(header::HOST, host);
    }
    // What is to be sent again, and for how long, is the filter's own affair.
    let options = CallOptions::default();
    let caller = Caller { options: &options, client };
    let response = pool.call(&head, Body::full(body), caller).await.map_err(|error| reason(&error))?;
    receive(response, limit).await
}

async fn receive(response: Response<Body>, limit: u64) -> Result<CalloutResponse, CalloutError> {
    let (head, mut body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(CalloutError::Broken);
    }
    let mut content = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| CalloutError::Broken)?;
        let Some(data) = frame.data_ref() else { continue };
        if (content.len() + data.len()) as u64 > limit {
            return Err(CalloutError::TooLarge);
        }
        content.extend_from_slice(data);
    }
    Ok(CalloutResponse { status: head.status, fields: of_the_message(head.headers), body: content.freeze() })
}

fn of_the_message(mut fields: HeaderMap) -> HeaderMap {
    for name in OF_THE_CONNECTION {
        fields.remove(name);
    }
    fields
}

fn reason(error: &UpstreamError) -> CalloutError {
    match error {
        _ if error.is_unavailable() || error.lacks_descriptors() => CalloutError::Unavailable,
        _ if error.is_timeout() => CalloutError::Timeout,
        UpstreamError::Connect { .. } => CalloutError::Connect,
        UpstreamError::Authority => CalloutError::Invalid("the authority is none for HTTP/2".into()),
        _ => CalloutError::Broken,
    }
}
