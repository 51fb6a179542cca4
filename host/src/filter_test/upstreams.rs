//! Answers the callouts of a case, and sees to it that they are those that it says.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::HeaderMap;

use super::body::Read;
use super::compare::{of_message, shortfall};
use super::exchange::SeenMessage;
use super::report::Failure;
use super::world::World;
use crate::config::cases::{AnswerCase, CalloutCase, Expectation, Step, Subject};
use crate::sandbox::{Callout, CalloutError, CalloutResponse, Carrier, LocalFuture};

/// The upstreams of one exchange.
pub(super) struct Upstreams {
    callouts: Vec<CalloutCase>,
    /// Where more of them would be written.
    at: (String, usize),
    world: Arc<World>,
    asked: RefCell<Asked>,
}

#[derive(Default)]
struct Asked {
    /// How often each of the callouts was asked for.
    times: Vec<u32>,
    failures: Vec<Failure>,
}

impl Upstreams {
    pub(super) fn new(step: &Step, world: &Arc<World>) -> Rc<Self> {
        let callouts = step.setting.callouts.clone();
        let asked = Asked { times: vec![0; callouts.len()], failures: Vec::new() };
        let (key, line) = &step.expect.faults_at;
        let case = key.rfind("expect").map_or("", |end| &key[..end]);
        let at = (format!("{case}callouts"), *line);
        Rc::new(Self { callouts, at, world: Arc::clone(world), asked: RefCell::new(asked) })
    }

    /// What was not as the case says: callouts that it does not know, or knows otherwise, and those that were never made.
    pub(super) fn failures(&self) -> Vec<Failure> {
        let Asked { times, failures } = &mut *self.asked.borrow_mut();
        let mut all = std::mem::take(failures);
        for (callout, asked) in self.callouts.iter().zip(times) {
            let Some(wanted) = callout.times.filter(|wanted| *wanted > *asked) else { continue };
            let (key, line) = &callout.at;
            let upstream = &callout.upstream;
            let (expected, got) = match wanted {
                1 => (format!("a callout to {upstream:?}"), "none".to_owned()),
                _ => (format!("{wanted} callouts to {upstream:?}"), asked.to_string()),
            };
            all.push(Failure::new(key, *line, &expected, &got));
        }
        all
    }

    /// Which of the callouts this one is. The first that it fits and that is not used up; if it fits none, the first.
    fn find(&self, upstream: &str, request: &SeenMessage) -> Option<&CalloutCase> {
        let Asked { times, failures } = &mut *self.asked.borrow_mut();
        let open = |(index, callout): &(usize, &CalloutCase)| {
            callout.upstream == upstream && callout.times.is_none_or(|wanted| times[*index] < wanted)
        };
        let open: Vec<_> = self.callouts.iter().enumerate().filter(open).collect();
        let wrong = |callout: &CalloutCase| -> Vec<_> {
            callout.expectations.iter().filter_map(|each| mismatch(each, request)).collect()
        };
        let fits = open.iter().find(|(_, callout)| wrong(callout).is_empty());
        let Some((index, callout)) = fits.or(open.first()) else {
            let known = self.callouts.iter().any(|callout| callout.upstream == upstream);
            let expected = format!("no {} to {upstream:?}", if known { "further callout" } else { "callout" });
            failures.push(Failure::new(&self.at.0, self.at.1, &expected, &request.first.join(" ")));
            return None;
        };
        times[*index] += 1;
        failures.extend(wrong(callout));
        Some(callout)
    }
}

impl Carrier for Upstreams {
    fn carry(&self, callout: Callout) -> LocalFuture<Result<CalloutResponse, CalloutError>> {
        let answer = match self.find(&callout.upstream, &seen(&callout)) {
            Some(case) => (case.after, answer(&case.answer, callout.body_limit)),
            None => (Duration::ZERO, Err(CalloutError::Unavailable)),
        };
        // A test has no time to lose: the answer is there at once, and the case's time has gone on.
        let (after, answer) = match answer {
            (after, _) if after > callout.timeout => (callout.timeout, Err(CalloutError::Timeout)),
            in_time => in_time,
        };
        let (world, due) = (Arc::clone(&self.world), self.world.elapsed() + after);
        let mut is_sent = false;
        Box::pin(async move {
            // Those that are sent with it are sent at the same time.
            std::future::poll_fn(|context| match std::mem::replace(&mut is_sent, true) {
                true => Poll::Ready(()),
                false => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            })
            .await;
            world.reach(due);
            answer
        })
    }
}

fn seen(callout: &Callout) -> SeenMessage {
    let request = &callout.request;
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    SeenMessage {
        first: vec![request.method().to_string(), path.to_owned()],
        fields: request.headers().clone(),
        body: Read { bytes: request.body().to_vec(), ..Read::default() },
    }
}

fn mismatch(expectation: &Expectation, request: &SeenMessage) -> Option<Failure> {
    let Subject::Upstream(part) = &expectation.subject else { return None };
    shortfall(expectation, of_message(part, request, &[], &HeaderMap::new(), &[]))
}

fn answer(case: &AnswerCase, limit: u64) -> Result<CalloutResponse, CalloutError> {
    match case {
        AnswerCase::Response { body, .. } if body.len() as u64 > limit => Err(CalloutError::TooLarge),
        AnswerCase::Response { status, fields, body } => {
            Ok(CalloutResponse { status: *status, fields: fields.clone(), body: body.clone() })
        }
        AnswerCase::Failure(name) => Err(match name.as_str() {
            "connect" => CalloutError::Connect,
            "timeout" => CalloutError::Timeout,
            "broken" => CalloutError::Broken,
            "too-large" => CalloutError::TooLarge,
            _ => CalloutError::Unavailable,
        }),
    }
}
