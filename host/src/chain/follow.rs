//! Tells whoever follows a filter what its hooks do outside: callouts and their answers, and what they find in stores.

use std::sync::Arc;

use http::{Method, Uri};

use super::record::CalledOut;
use super::run::Run;
use crate::sandbox::{Callout, CalloutError, CalloutResponse, LocalFuture};

type Answers = Vec<Result<CalloutResponse, CalloutError>>;

/// A callout that was sent.
type Asked = (Arc<str>, Method, Uri);

impl Run {
    /// Sends callouts; the filter's record hears of the answers first, if there is one.
    pub(super) fn follow_callouts(
        &self,
        index: usize,
        callouts: Vec<Result<Callout, CalloutError>>,
        send: impl FnOnce(Vec<Result<Callout, CalloutError>>) -> LocalFuture<Answers>,
    ) -> LocalFuture<Answers> {
        if self.filter(index).policy.recorder.is_none() {
            return send(callouts);
        }
        let (run, asked): (_, Vec<_>) = (self.clone(), callouts.iter().map(asked).collect());
        let answers = send(callouts);
        Box::pin(async move {
            let answers = answers.await;
            for (asked, answer) in asked.iter().zip(&answers) {
                if let Some((upstream, method, uri)) = asked {
                    let called = CalledOut { upstream, method, uri, answer };
                    run.tell(index, |record| record.called_out(&called));
                }
            }
            answers
        })
    }
}

/// What was not sent has reached nobody.
fn asked(callout: &Result<Callout, CalloutError>) -> Option<Asked> {
    let callout = callout.as_ref().ok()?;
    Some((Arc::clone(&callout.upstream), callout.request.method().clone(), callout.request.uri().clone()))
}
