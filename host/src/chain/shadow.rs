//! A version on trial that only looks on: it is shown copies of the heads that the version before it is shown, and what it would have
//! done is compared with what was done. Bodies, trailers and the end of the exchange's body are not shown to it.

use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;

use super::local::{Link, LocalFilter, Place};
use super::run::Run;
use crate::message::{Exchange, Message};
use crate::sandbox::{Fault, HeadStep};
use crate::telemetry::{Difference, Differences, Figures};

/// A version that looks on.
#[derive(Clone)]
pub struct Shadow {
    /// It, on this worker.
    pub filter: Rc<LocalFilter>,
    /// What it does.
    pub figures: Arc<Figures>,
    /// In what it differs.
    pub differences: Arc<Differences>,
}

/// How an exchange stands with one.
pub(super) struct OnLooker {
    index: usize,
    place: Option<Place>,
    /// It went another way, or faulted: what comes now is not for it.
    over: bool,
}

/// What it has made of a head.
pub(super) struct Shadowed {
    exchange: Box<Exchange>,
    step: HeadStep,
}

impl Run {
    /// Shows a head to the version that looks on, if there is one.
    #[inline]
    pub(super) fn shadow(&self, index: usize, message: Message) -> Option<Shadowed> {
        let shadow = self.0.filters[index].shadow.as_ref()?;
        self.show_to(shadow, index, message)
    }

    fn show_to(&self, shadow: &Shadow, index: usize, message: Message) -> Option<Shadowed> {
        let state = &mut *self.0.state.borrow_mut();
        let copy = state.exchange.clone()?;
        let known = state.shadows.iter().position(|looker| looker.index == index);
        let looker = match known {
            Some(known) => &mut state.shadows[known],
            None => {
                shadow.figures.exchange();
                state.shadows.push(OnLooker { index, place: None, over: false });
                state.shadows.last_mut()?
            }
        };
        if looker.over {
            return None;
        }
        let subscription = &shadow.filter.policy.filter.subscription;
        let wants = match message {
            Message::Request => subscription.request_head(),
            Message::Response => subscription.response_head(),
        };
        if !wants {
            return Some(Shadowed { exchange: copy, step: HeadStep::Forward });
        }
        let mut taken = Some(copy);
        let step = shadow.filter.call(&mut looker.place, |instance, seat| {
            #[allow(clippy::expect_used, reason = "it is put there above, and a hook is called once")]
            let copy = taken.take().expect("the copy is there");
            let (back, step) = instance.on_head(seat, message, copy, subscription);
            taken = Some(back);
            step
        });
        match step {
            Ok(step) => Some(Shadowed { exchange: taken?, step }),
            Err(fault) => {
                looker.over = true;
                shadow.figures.faulted(fault.class);
                let path = state.exchange.as_ref().map_or("", |exchange| exchange.request.uri.path());
                shadow.differences.differs(Difference::Fault, path, || format!("faults: {}", fault.class.label()));
                None
            }
        }
    }

    /// Compares what it would have done with what was done.
    pub(super) fn compare(&self, index: usize, message: Message, shadowed: Shadowed, done: &Result<HeadStep, Fault>) {
        let Some(shadow) = &self.0.filters[index].shadow else { return };
        let Ok(done) = done else { return };
        let state = &mut *self.0.state.borrow_mut();
        let Some(exchange) = &state.exchange else { return };
        let path = exchange.request.uri.path();
        let of = if message == Message::Request { "request" } else { "response" };
        if let Some(difference) = other_way(&shadowed.step, done) {
            shadow.differences.differs(difference, path, || {
                format!("{of}: {} where the version before {}", told(&shadowed.step), told(done))
            });
            state.shadows.iter_mut().filter(|looker| looker.index == index).for_each(|looker| looker.over = true);
            return;
        }
        let before = shadow.differences.count();
        let (ours, theirs) = (&*shadowed.exchange, &**exchange);
        if (&ours.request.method, &ours.request.uri) != (&theirs.request.method, &theirs.request.uri) {
            shadow.differences.differs(Difference::Target, path, || format!("{of}: another method or target"));
        }
        if let (Some(ours), Some(theirs)) = (ours.fields(message), theirs.fields(message))
            && ours != theirs
        {
            shadow.differences.differs(Difference::Fields, path, || format!("{of}: {}", names(ours, theirs)));
        }
        let status = |exchange: &Exchange| exchange.response.as_ref().map(|head| head.status);
        if status(ours) != status(theirs) {
            shadow.differences.differs(Difference::Status, path, || format!("{of}: another status"));
        }
        let found = |exchange: &Exchange| {
            let context = &exchange.context;
            (context.consumer.clone(), context.principal.clone(), context.class.clone(), context.attributes.clone())
        };
        if found(ours) != found(theirs) {
            let what = || format!("{of}: it finds out something else about the request");
            shadow.differences.differs(Difference::Context, path, what);
        }
        if shadow.differences.count() == before {
            shadow.differences.agrees();
        }
    }
}

/// Exchanges end for those that looked on.
pub(super) fn leave(links: &[Link], lookers: &mut Vec<OnLooker>) {
    for OnLooker { index, place, .. } in lookers.drain(..) {
        if let (Some(Link { shadow: Some(shadow), .. }), Some(place)) = (links.get(index), place)
            && let Err(fault) = shadow.filter.leave(place)
        {
            shadow.figures.faulted(fault.class);
        }
    }
}

/// In what the steps differ, if they lead elsewhere.
fn other_way(ours: &HeadStep, theirs: &HeadStep) -> Option<Difference> {
    match (ours, theirs) {
        (HeadStep::Forward, HeadStep::Forward) | (HeadStep::Hold, HeadStep::Hold) => None,
        (HeadStep::Reply(ours), HeadStep::Reply(theirs)) if ours.status() == theirs.status() => None,
        (HeadStep::Reply(_), HeadStep::Reply(_)) => Some(Difference::Status),
        _ => Some(Difference::Decision),
    }
}

fn told(step: &HeadStep) -> String {
    match step {
        HeadStep::Forward => "lets it pass".to_owned(),
        HeadStep::Hold => "waits for the body".to_owned(),
        HeadStep::Reply(reply) => format!("replies {}", reply.status().as_u16()),
    }
}

/// Names of fields that differ; values may be secrets.
fn names(ours: &HeaderMap, theirs: &HeaderMap) -> String {
    let values = |of: &HeaderMap, name: &http::HeaderName| of.get_all(name).iter().cloned().collect::<Vec<_>>();
    let mut names: Vec<_> =
        ours.keys().chain(theirs.keys()).filter(|name| values(ours, name) != values(theirs, name)).collect();
    names.sort_by_key(|name| name.as_str());
    names.dedup();
    let names: Vec<_> = names.into_iter().take(10).map(http::HeaderName::as_str).collect();
    format!("other fields: {}", names.join(", "))
}
