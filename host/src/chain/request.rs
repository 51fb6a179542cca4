//! Forward: the request hooks.

use http::{StatusCode, header};

use super::body::{FilteredBody, Held};
use super::run::{Denied, Run, Step};
use crate::message::{Body, BodyError, Message, Reply};
use crate::sandbox::HeadStep;

impl Run {
    /// Takes the request through the filters, in order, until one replies. That one has not been passed: a reply or a fault
    /// goes back through the filters before it.
    ///
    /// # Errors
    /// If a filter faults and its policy denies then.
    pub async fn on_request(&self, mut body: Body) -> Result<Step, Denied> {
        for index in 0..self.0.filters.len() {
            self.admit(index)?;
            let wants_body = if self.is_bypassed(index) {
                false
            } else {
                let subscription = &self.filter(index).policy.filter.subscription;
                let step = match subscription.request_head() {
                    true if self.waits(index) => Box::pin(self.head_waiting(index, Message::Request)).await?,
                    true => self.head(index, Message::Request)?,
                    false => HeadStep::Forward,
                };
                match self.wait_for_whole(index, Message::Request, step, &body) {
                    HeadStep::Reply(reply) => return Ok(Step::Reply(reply)),
                    HeadStep::Hold => {
                        body = match Box::pin(self.hold_request(index, body)).await? {
                            Step::Forward(body) => body,
                            instead => return Ok(instead),
                        };
                        false
                    }
                    HeadStep::Forward => subscription.request_body() || subscription.request_trailers(),
                }
            };
            self.set_passed(index + 1);
            if wants_body && !matches!(body, Body::Empty) && !self.is_bypassed(index) {
                self.unframe_request();
                body = Body::boxed(FilteredBody::new(self.clone(), index, Message::Request, body));
            }
        }
        Ok(Step::Forward(body))
    }

    async fn hold_request(&self, index: usize, body: Body) -> Result<Step, Denied> {
        self.unframe_request();
        match FilteredBody::new(self.clone(), index, Message::Request, body).hold().await {
            Held::Released(body) => Ok(Step::Forward(body)),
            Held::Reply(reply) => Ok(Step::Reply(reply)),
            Held::Denied(denied) => Err(denied),
            Held::Aborted => Ok(Step::Abort),
            Held::TooLarge | Held::Broken(BodyError::TooLarge(_)) => Ok(Step::Reply(Reply::too_large())),
            Held::Broken(_) => Ok(Step::Reply(Reply::problem(StatusCode::BAD_REQUEST, "the request body ended early"))),
        }
    }

    /// A body that a filter may change has no length that is known beforehand.
    fn unframe_request(&self) {
        self.with(|exchange| exchange.request.headers.remove(header::CONTENT_LENGTH));
    }
}
