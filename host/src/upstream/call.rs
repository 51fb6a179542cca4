//! One call: a request to an upstream, and the head of its response.

use std::error::Error;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use super::UpstreamError;
use super::client::{Connection, Pool};
use super::patience::Patience;
use crate::message::{Body, BodyError};

/// What one attempt came to: a response, or an error and, if nothing of it was sent, the request.
type Attempt = Result<Response<Incoming>, (UpstreamError, Option<Request<Body>>)>;

impl Pool {
    /// Sends the request to an endpoint and waits for the head of the response. Endpoints that cannot be connected to
    /// are passed over. A request is sent again only if none of it has been: a connection from the pool may have been
    /// closed just before (RFC 9110, section 9.2.2).
    ///
    /// # Errors
    /// If no endpoint can be connected to, or the one that was sent the request gives no valid response in time.
    pub async fn call(self: &Rc<Self>, request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        self.upstream.metrics.requested();
        let result = self.try_endpoints(request).await;
        if let Err(error) = &result
            && let Some(held_back) = self.upstream.metrics.failed()
        {
            let (upstream, source) = (&*self.upstream.name, error.source().map(ToString::to_string));
            tracing::warn!(upstream, %error, source, held_back, "upstream failure");
        }
        result
    }

    async fn try_endpoints(self: &Rc<Self>, mut request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        let mut failure = None;
        for endpoint in self.turns.order(self.upstream.endpoints.len()) {
            let mut connection = match self.connection(endpoint).await {
                Ok(connection) => connection,
                Err(error) => {
                    failure = Some(error);
                    continue;
                }
            };
            loop {
                let reused = connection.reused;
                match self.attempt(endpoint, &mut connection, request).await {
                    Ok(response) => {
                        let (head, body) = response.into_parts();
                        return Ok(Response::from_parts(head, self.body(endpoint, connection, body)));
                    }
                    Err((_, Some(unsent))) if reused => {
                        request = unsent;
                        connection = self.connect(endpoint).await?;
                    }
                    Err((error, _)) => return Err(error),
                }
            }
        }
        // There is at least one endpoint, so only a failure leads here.
        Err(failure.unwrap_or_else(|| UpstreamError::Connect {
            endpoint: self.upstream.name.to_string(),
            source: std::io::ErrorKind::NotFound.into(),
        }))
    }

    async fn attempt(&self, endpoint: usize, connection: &mut Connection, request: Request<Body>) -> Attempt {
        let patience = Rc::clone(&connection.patience);
        let endpoint = &self.upstream.endpoints[endpoint];
        let request = if request.body().is_end_stream() {
            request
        } else {
            request.map(|body| Body::boxed(Watched { inner: body, patience: Rc::clone(&patience) }))
        };
        patience.begin();
        let sent = connection.sender.try_send_request(request).await;
        patience.end();
        sent.map_err(|error| {
            let (error, unsent) = failure(error, endpoint);
            match patience.is_exhausted() {
                true => (UpstreamError::Timeout { endpoint: endpoint.to_string(), after: patience.bound() }, None),
                false => (error, unsent),
            }
        })
    }
}

fn failure(
    mut error: TrySendError<Request<Body>>,
    endpoint: &super::Endpoint,
) -> (UpstreamError, Option<Request<Body>>) {
    let unsent = error.take_message();
    let source = error.into_error();
    let error = if source.is_user() {
        UpstreamError::Request(source)
    } else {
        UpstreamError::Protocol { endpoint: endpoint.to_string(), source }
    };
    (error, unsent)
}

/// A request's body that notes when it last moved.
struct Watched {
    inner: Body,
    patience: Rc<Patience>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if frame.is_ready() {
            self.patience.begin();
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
