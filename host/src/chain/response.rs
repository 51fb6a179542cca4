//! Reverse: the response hooks, over the filters that the request has passed.

use http::{Method, Response, StatusCode, header};

use super::body::{FilteredBody, Held};
use super::run::{Denied, Run};
use crate::message::{Body, Message, Reply};
use crate::sandbox::HeadStep;

impl Run {
    /// Takes a response back through the filters. One that faults or replies puts another response in its place, which
    /// passes the remaining filters.
    pub async fn on_response(&self, response: Response<Body>) -> Response<Body> {
        let passed = self.passed();
        if passed == 0 {
            return response;
        }
        let (head, mut body) = response.into_parts();
        self.put_response(head);
        for index in (0..passed).rev() {
            if self.is_bypassed(index) {
                continue;
            }
            body = match self.on_response_of(index, body).await {
                Ok(body) => body,
                Err(instead) => {
                    let (head, body) = instead.into_parts();
                    self.put_response(head);
                    body
                }
            };
        }
        Response::from_parts(self.take_response(), body)
    }

    /// One filter's turn: the body that goes on, or the reply that takes the response's place.
    async fn on_response_of(&self, index: usize, body: Body) -> Result<Body, Reply> {
        let subscription = &self.filter(index).policy.filter.subscription;
        let step = if subscription.response_head() {
            self.head(index, Message::Response).map_err(|denied| denied.reply())?
        } else {
            HeadStep::Forward
        };
        match step {
            HeadStep::Reply(reply) => Err(reply),
            // What passes after a 101 is nobody's body.
            _ if matches!(body, Body::Upgraded(_)) => Ok(body),
            HeadStep::Hold => Box::pin(self.hold_response(index, body)).await,
            HeadStep::Forward => {
                let wants_body = subscription.response_body() || subscription.response_trailers();
                if !wants_body || matches!(body, Body::Empty) || self.is_bypassed(index) {
                    return Ok(body);
                }
                Ok(Body::boxed(self.wrap_response(index, body)))
            }
        }
    }

    async fn hold_response(&self, index: usize, body: Body) -> Result<Body, Reply> {
        match self.wrap_response(index, body).hold().await {
            Held::Released(body) => Ok(body),
            Held::Reply(reply) => Err(reply),
            Held::Denied(denied) => Err(denied.reply()),
            Held::TooLarge => Err(Reply::problem(StatusCode::BAD_GATEWAY, "the response body is too large")),
            Held::Broken(_) => Err(Reply::problem(StatusCode::BAD_GATEWAY, "the response body ended early")),
        }
    }

    /// The body behind a filter, and what its hooks may still read of the head once that has gone.
    fn wrap_response(&self, index: usize, body: Body) -> FilteredBody {
        self.unframe_response();
        if self.filter(index).policy.filter.module.reads_exchange {
            self.keep_response();
        }
        FilteredBody::new(self.clone(), index, Message::Response, body)
    }

    /// As for requests; the answer to HEAD keeps the length that a GET would have.
    fn unframe_response(&self) {
        self.with(|exchange| {
            if exchange.request.method != Method::HEAD
                && let Some(head) = &mut exchange.response
            {
                head.headers.remove(header::CONTENT_LENGTH);
            }
        });
    }
}

impl Denied {
    /// What the client is told: nothing about the fault itself.
    #[must_use]
    pub fn reply(&self) -> Reply {
        Reply::problem(self.status, "a policy could not be applied to this request")
    }
}
