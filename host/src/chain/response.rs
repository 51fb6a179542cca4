//! Reverse: the response hooks, over the filters that the request has passed.

use http::{Method, Response, StatusCode, header};

use super::body::{FilteredBody, Held};
use super::run::{Aborted, Denied, Run};
use crate::message::{Body, Message, Reply};
use crate::sandbox::HeadStep;

impl Run {
    /// Takes a response back through the filters. One that faults or replies puts another response in its place, which
    /// passes the remaining filters.
    ///
    /// # Errors
    /// If a filter cuts the exchange.
    pub async fn on_response(&self, response: Response<Body>) -> Result<Response<Body>, Aborted> {
        let passed = self.passed();
        if passed == 0 {
            return Ok(response);
        }
        let (head, mut body) = response.into_parts();
        self.put_response(head);
        for index in (0..passed).rev() {
            if self.is_bypassed(index) {
                continue;
            }
            match self.on_response_of(index, &mut body).await {
                Ok(()) => {}
                Err(Instead::Reply(reply)) => {
                    let (head, content) = reply.into_parts();
                    self.put_response(head);
                    body = content;
                }
                Err(Instead::Nothing) => return Err(Aborted),
            }
        }
        Ok(Response::from_parts(self.take_response(), body))
    }

    /// One filter's turn, behind which the body may be another one; or what takes the response's place.
    async fn on_response_of(&self, index: usize, body: &mut Body) -> Result<(), Instead> {
        let subscription = &self.filter(index).policy.filter.subscription;
        let step = match subscription.response_head() {
            true if self.waits(index) => Box::pin(self.head_waiting(index, Message::Response)).await,
            true => self.head(index, Message::Response),
            false => Ok(HeadStep::Forward),
        };
        let step = step.map_err(|denied| denied.reply())?;
        match self.wait_for_whole(index, Message::Response, step, body) {
            HeadStep::Reply(reply) => return Err(reply.into()),
            // What passes after a 101 is nobody's body.
            _ if matches!(body, Body::Upgraded(_)) => {}
            HeadStep::Hold => *body = Box::pin(self.hold_response(index, std::mem::take(body))).await?,
            HeadStep::Forward => {
                let wants_body = subscription.response_body() || subscription.response_trailers();
                if wants_body && !matches!(body, Body::Empty) && !self.is_bypassed(index) {
                    *body = Body::boxed(self.wrap_response(index, std::mem::take(body)));
                }
            }
        }
        Ok(())
    }

    async fn hold_response(&self, index: usize, body: Body) -> Result<Body, Instead> {
        let reply = match self.wrap_response(index, body).hold().await {
            Held::Released(_) if self.has_no_content() => return Ok(Body::Empty),
            Held::Released(body) => return Ok(body),
            Held::Aborted => return Err(Instead::Nothing),
            Held::Reply(reply) => reply,
            Held::Denied(denied) => denied.reply(),
            Held::TooLarge => Reply::problem(StatusCode::BAD_GATEWAY, "the response body is too large"),
            Held::Broken(_) => Reply::problem(StatusCode::BAD_GATEWAY, "the response body ended early"),
        };
        Err(reply.into())
    }

    /// Whether the response ends with its head, whatever a filter would have follow (RFC 9110, section 6.4.1).
    fn has_no_content(&self) -> bool {
        let without = |status| matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        self.with(|exchange| {
            exchange.request.method == Method::HEAD
                || exchange.response.as_ref().is_some_and(|head| without(head.status))
        })
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

/// What takes a response's place.
enum Instead {
    Reply(Reply),
    /// The client is cut off.
    Nothing,
}

impl From<Reply> for Instead {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

impl Denied {
    /// What the client is told: nothing about the fault itself.
    #[must_use]
    pub fn reply(&self) -> Reply {
        Reply::problem(self.status, "a policy could not be applied to this request")
    }
}
