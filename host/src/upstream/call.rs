//! One call: a request to an upstream, and the head of its response.

use std::error::Error;
use std::rc::Rc;

use http::{Request, Response};

use super::client::Pool;
use super::http1::Failure;
use super::{ProtocolError, UpstreamError};
use crate::message::Body;

impl Pool {
    /// Sends the request to an endpoint and waits for the head of the response. Endpoints that cannot be connected to
    /// are passed over. A request goes out again only if a connection from the pool turns out to be closed, which an
    /// upstream may do at any time, and the request was not taken in or may be taken in twice (RFC 9110, section 9.2.2).
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

    async fn try_endpoints(self: &Rc<Self>, request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        let (head, mut body) = request.into_parts();
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
                let failed = match connection.call(&head, body).await {
                    Ok(answer) => {
                        let (head, body) = self.response(endpoint, connection, answer);
                        return Ok(Response::from_parts(head, body));
                    }
                    Err(failed) => failed,
                };
                match connection.take_unsent(&head.method, &failed) {
                    Some(unsent) => body = unsent,
                    None => return Err(self.failure(endpoint, failed)),
                }
                connection = self.connect(endpoint).await?;
            }
        }
        // There is at least one endpoint, so only a failure leads here.
        Err(failure.unwrap_or_else(|| UpstreamError::Connect {
            endpoint: self.upstream.name.to_string(),
            source: std::io::ErrorKind::NotFound.into(),
        }))
    }

    fn failure(&self, endpoint: usize, failure: Failure) -> UpstreamError {
        let endpoint = self.upstream.endpoints[endpoint].to_string();
        match failure {
            Failure::Timeout => UpstreamError::Timeout { endpoint, after: self.upstream.first_byte_timeout },
            Failure::Request(error) => UpstreamError::Request(error),
            failure => UpstreamError::Protocol { endpoint, source: ProtocolError(failure) },
        }
    }
}
