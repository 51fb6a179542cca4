//! Sending a request again, where the route allows it.

use std::rc::Rc;

use http::request;

use super::UpstreamError;
use super::call::{Answered, Caller, Choice, Failed};
use super::client::Pool;
use super::replay::Replay;
use crate::config::Retry;
use crate::message::Body;

impl Pool {
    /// Sends a request to one endpoint after another until a response is good enough, or one of the bounds is met: attempts,
    /// the budget, what is kept of the body. What was sent in part goes out again only if its method is idempotent
    /// (RFC 9110, section 9.2.2) or the route says that it may be taken for that.
    pub(super) async fn again(
        self: &Rc<Self>,
        choice: &mut Choice,
        head: &request::Parts,
        body: Body,
        caller: Caller<'_>,
        retry: &Retry,
    ) -> Result<(usize, Answered), UpstreamError> {
        self.budget.deposit(retry.budget);
        let is_repeatable = retry.methods.contains(&head.method);
        let replay = Replay::new(body, if is_repeatable { retry.buffer } else { 0 });
        for attempt in 1.. {
            let index = self.pick_another(choice)?;
            let local = &choice.set.usable[index].0;
            let result = self.try_endpoint(local, head, replay.body(), caller, retry.per_try).await;
            let is_untouched = matches!(&result, Err(Failed { unsent: Some(_), .. }));
            let may = attempt < retry.attempts
                && wants_another(retry, &result)
                && (is_untouched || is_repeatable)
                && replay.is_whole()
                && self.budget.pay();
            match result {
                result if !may => return result.map(|answered| (index, answered)).map_err(|failed| failed.error),
                Ok(answered) => self.discard(answered),
                Err(failed) => tracing::debug!(error = %failed.error, "another attempt"),
            }
            self.upstream.metrics.retried();
        }
        Err(UpstreamError::NoEndpoint)
    }

    /// Another endpoint; once all have been tried, any.
    fn pick_another(&self, choice: &mut Choice) -> Result<usize, UpstreamError> {
        let index = self.pick(choice).or_else(|| {
            choice.tried.clear();
            self.pick(choice)
        });
        let index = index.ok_or(UpstreamError::NoEndpoint)?;
        choice.tried.push(index);
        Ok(index)
    }
}

fn wants_another(retry: &Retry, result: &Result<Answered, Failed>) -> bool {
    match result {
        Ok(answered) => retry.on_response(answered.status()),
        Err(Failed { error, .. }) => match error {
            UpstreamError::Connect { .. } => retry.on_connect,
            UpstreamError::Protocol { .. } => retry.on_reset,
            UpstreamError::Timeout { .. } => retry.on_timeout,
            UpstreamError::NoEndpoint
            | UpstreamError::Full { .. }
            | UpstreamError::Authority
            | UpstreamError::NoTunnels { .. }
            | UpstreamError::Request(_) => false,
        },
    }
}
