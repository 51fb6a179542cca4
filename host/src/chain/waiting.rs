//! Hooks that may wait. Others go on meanwhile: exchanges of the same filter on other instances, and what else happens to
//! this exchange, of which such a hook has hold only while it runs.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::Notify;

use super::free_list::CheckedOut;
use super::local::{LocalFilter, Place};
use super::policy::Policy;
use super::record::HookCall;
use super::run::{Denied, Run};
use crate::message::{Exchange, Message};
use crate::sandbox::{
    BodyStep, Callout, CalloutError, CalloutResponse, Carrier, Fault, FaultClass, HeadStep, Instance, Isolation,
    LocalFuture, Seat, Surroundings, TrailersStep,
};

pub(super) type Answers = Vec<Result<CalloutResponse, CalloutError>>;

/// An exchange's stay with a filter that waits: its instance, if that is to be the same for all its hooks, and how many
/// callouts it may still make.
pub(super) struct Stay {
    /// Whether its hooks run on one instance: it keeps state there, or nobody else may use it.
    is_settled: bool,
    own: RefCell<Own>,
    /// Told when its instance is back.
    back: Notify,
    callouts_left: Rc<Cell<u32>>,
}

/// The instance of an exchange that is settled.
enum Own {
    /// There was none yet.
    None,
    Here(Box<CheckedOut>),
    /// A hook runs there.
    Away,
    /// A hook was dropped half-way, or faulted.
    Lost,
}

impl Stay {
    fn new(filter: &LocalFilter) -> Rc<Self> {
        let filter = &filter.policy.filter;
        let is_settled = filter.subscription.stateful() || filter.settings.isolation == Isolation::Exchange;
        let callouts_left = Rc::new(Cell::new(filter.settings.callouts.count));
        Rc::new(Self { is_settled, own: RefCell::new(Own::None), back: Notify::new(), callouts_left })
    }

    /// An instance for one hook.
    async fn enter(self: &Rc<Self>, filter: &Rc<LocalFilter>) -> Result<Turn, Fault> {
        if !self.is_settled {
            return Ok(Turn { stay: Rc::clone(self), instance: Some(Box::new(filter.check_out().await?)) });
        }
        loop {
            let back = self.back.notified();
            let own = self.own.replace(Own::Away);
            match own {
                Own::Here(instance) => return Ok(Turn { stay: Rc::clone(self), instance: Some(instance) }),
                Own::None => {
                    // Away from here on, whatever becomes of it.
                    let mut turn = Turn { stay: Rc::clone(self), instance: None };
                    turn.instance = Some(Box::new(filter.check_out().await?));
                    return Ok(turn);
                }
                Own::Away => {}
                Own::Lost => {
                    self.own.replace(Own::Lost);
                    return Err(state_lost());
                }
            }
            back.await;
        }
    }

    fn put(&self, own: Own) {
        self.own.replace(own);
        self.back.notify_waiters();
    }

    /// The end of the exchange.
    pub(super) fn leave(&self) -> Result<(), Fault> {
        let Own::Here(checked_out) = self.own.replace(Own::Lost) else { return Ok(()) };
        checked_out.leave()
    }
}

impl CheckedOut {
    fn leave(self) -> Result<(), Fault> {
        let (tell, shared) = self.manners();
        self.give_back(tell, shared)
    }
}

/// One hook's time with an instance. Dropped before `end`, the instance goes with it.
struct Turn {
    stay: Rc<Stay>,
    instance: Option<Box<CheckedOut>>,
}

impl Turn {
    fn end(mut self) {
        let Some(checked_out) = self.instance.take() else { return };
        if !self.stay.is_settled {
            // No hook is called here, so there can be no fault.
            let _ = checked_out.give_back(false, true);
        } else if !checked_out.instance.is_poisoned() {
            self.stay.put(Own::Here(checked_out));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.stay.is_settled && matches!(*self.stay.own.borrow(), Own::Away) {
            self.stay.put(Own::Lost);
        }
    }
}

impl Run {
    /// As `head`.
    pub(super) async fn head_waiting(&self, index: usize, message: Message) -> Result<HeadStep, Denied> {
        let subscription = &self.filter(index).policy.filter.subscription;
        self.before(index, HookCall::Head(message));
        let call = async |instance: &mut Instance, seat: Seat, around: &Rc<dyn Surroundings>| {
            instance.on_head_waiting(seat, message, around, subscription).await
        };
        let step = self.call_waiting(index, call).await;
        self.head_answered(index, step)
    }

    /// A call of a body hook, which goes on by itself.
    pub(super) fn body_waiting(
        &self,
        index: usize,
        message: Message,
        piece: Bytes,
        last: bool,
        held: bool,
    ) -> LocalFuture<Result<(BodyStep, bool), Fault>> {
        let run = self.clone();
        Box::pin(async move {
            let call = async |instance: &mut Instance, seat: Seat, around: &Rc<dyn Surroundings>| {
                instance.on_body_waiting(seat, message, around, &piece, last, held).await
            };
            run.call_waiting(index, call).await
        })
    }

    /// As `body_waiting`, with the trailers that it leaves.
    pub(super) fn trailers_waiting(
        &self,
        index: usize,
        message: Message,
        mut trailers: HeaderMap,
    ) -> LocalFuture<(HeaderMap, Result<TrailersStep, Fault>)> {
        let run = self.clone();
        Box::pin(async move {
            let call = async |instance: &mut Instance, seat: Seat, around: &Rc<dyn Surroundings>| {
                instance.on_trailers_waiting(seat, message, around, &mut trailers).await
            };
            let done = run.call_waiting(index, call).await;
            (trailers, done)
        })
    }

    async fn call_waiting<T>(
        &self,
        index: usize,
        hook: impl AsyncFnOnce(&mut Instance, Seat, &Rc<dyn Surroundings>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let filter = Rc::clone(self.filter(index));
        filter.policy.metrics.called();
        let left = self.budget(index)?;
        let stay = self.stay(index, &filter);
        let mut turn = stay.enter(&filter).await?;
        let around: Rc<dyn Surroundings> = Rc::new(Around {
            run: self.clone(),
            index,
            outlet: Outlet {
                policy: Arc::clone(&filter.policy),
                carrier: self.0.carrier.clone(),
                left: Rc::clone(&stay.callouts_left),
            },
        });
        let answer = match turn.instance.as_deref_mut() {
            Some(CheckedOut { instance, seat, .. }) => {
                instance.measure(left);
                let answer = hook(instance, *seat, &around).await;
                self.found(index, &instance.found());
                self.charge(index, instance.spent(), answer)
            }
            None => Err(state_lost()),
        };
        turn.end();
        answer
    }

    fn stay(&self, index: usize, filter: &LocalFilter) -> Rc<Stay> {
        self.with_place(index, |place| match place {
            Some(Place::Waiting(stay)) => Rc::clone(stay),
            place => {
                let stay = Stay::new(filter);
                *place = Some(Place::Waiting(Rc::clone(&stay)));
                stay
            }
        })
    }
}

/// What a hook of an exchange is surrounded by.
struct Around {
    run: Run,
    index: usize,
    outlet: Outlet,
}

impl Surroundings for Around {
    fn lend(&self) -> Option<Box<Exchange>> {
        self.run.lend()
    }

    fn take_back(&self, exchange: Box<Exchange>) {
        self.run.take_back(exchange);
    }

    fn call_out(&self, callouts: Vec<Result<Callout, CalloutError>>) -> LocalFuture<Answers> {
        self.run.follow_callouts(self.index, callouts, |callouts| self.outlet.call_out(callouts))
    }
}

/// A policy's way out: bounded and counted.
pub(super) struct Outlet {
    pub(super) policy: Arc<Policy>,
    pub(super) carrier: Option<Rc<dyn Carrier>>,
    /// How many callouts may still be made.
    pub(super) left: Rc<Cell<u32>>,
}

impl Outlet {
    pub(super) fn call_out(&self, callouts: Vec<Result<Callout, CalloutError>>) -> LocalFuture<Answers> {
        let sent = callouts.into_iter().map(|callout| self.send(callout)).collect();
        Box::pin(join_all(sent))
    }

    fn send(&self, callout: Result<Callout, CalloutError>) -> LocalFuture<Result<CalloutResponse, CalloutError>> {
        let (carrier, left) = (self.carrier.clone(), Rc::clone(&self.left));
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let started = Instant::now();
            let answer = match (callout, carrier) {
                (Ok(_), _) if left.get() == 0 => Err(CalloutError::TooMany),
                (Ok(callout), Some(carrier)) => {
                    left.set(left.get() - 1);
                    carrier.carry(callout).await
                }
                (Ok(_), None) => Err(CalloutError::Unavailable),
                (Err(error), _) => Err(error),
            };
            let result = answer.as_ref().map_or_else(CalloutError::label, |_| "answered");
            policy.metrics.callouts.ended(result, started.elapsed());
            answer
        })
    }
}

fn state_lost() -> Fault {
    let message =
        "the instance that held this exchange's state was lost to a fault or in the middle of a hook".to_owned();
    Fault::new(FaultClass::StateLost, message)
}

/// All outcomes, in order. There are few, so each is looked at whenever any may have gone on.
async fn join_all<T>(futures: Vec<LocalFuture<T>>) -> Vec<T> {
    let mut slots: Vec<Result<T, LocalFuture<T>>> = futures.into_iter().map(Err).collect();
    poll_fn(|context| {
        let mut pending = false;
        for slot in &mut slots {
            if let Err(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(outcome) => *slot = Ok(outcome),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    slots.into_iter().filter_map(Result::ok).collect()
}
