//! The calls into an instance whose hooks may wait. A call that is dropped before its end has left the instance as it was
//! in the middle of something: it must be dropped too.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use wasmtime::{Store, format_err};

use super::answer::CallError;
use super::bindings::suspending::Suspending as Exports;
use super::bindings::tollgate::filter::types::FieldParam;
use super::facts::Packed;
use super::fault::{Fault, FaultClass};
use super::filter::Subscription;
use super::guest::Guest;
use super::instance::{
    BodyStep, HeadStep, HostState, Instance, Running, Seat, TrailersStep, body_step, head_step, trailers_step,
};
use super::meter::Spent;
use super::suspend::{Desk, Surroundings, drive};
use super::suspending;
use crate::message::{Exchange, Message};

impl Instance {
    /// As `on_head`.
    pub async fn on_head_waiting(
        &mut self,
        seat: Seat,
        message: Message,
        around: &Rc<dyn Surroundings>,
        subscription: &Subscription,
    ) -> Result<HeadStep, Fault> {
        let exchange = lent(around)?;
        self.packed.pack(subscription.plan(message), &exchange, message);
        let call = async |guest: &Exports, store: &mut Store<HostState>, packed: &Packed| {
            suspending::on_head(guest, store, message, seat.0, packed).await
        };
        let (mut exchange, answer) =
            self.wait_for(Running { seat, message, editable: true, exchange }, around, call).await?;
        let step = answer
            .and_then(|answer| head_step(answer, &self.store.data().grants, &mut exchange, message, subscription));
        around.take_back(exchange);
        step
    }

    /// As `on_body`.
    pub async fn on_body_waiting(
        &mut self,
        seat: Seat,
        message: Message,
        around: &Rc<dyn Surroundings>,
        piece: &[u8],
        last: bool,
        held: bool,
    ) -> Result<(BodyStep, bool), Fault> {
        let running = Running { seat, message, editable: held, exchange: lent(around)? };
        let call = async |guest: &Exports, store: &mut Store<HostState>, _: &Packed| {
            suspending::on_body(guest, store, message, seat.0, piece, last).await
        };
        let (mut exchange, answer) = self.wait_for(running, around, call).await?;
        let step =
            answer.and_then(|answer| body_step(answer, &self.store.data().grants, &mut exchange, message, held, last));
        around.take_back(exchange);
        step
    }

    /// As `on_trailers`.
    pub async fn on_trailers_waiting(
        &mut self,
        seat: Seat,
        message: Message,
        around: &Rc<dyn Surroundings>,
        trailers: &mut HeaderMap,
    ) -> Result<TrailersStep, Fault> {
        let running = Running { seat, message, editable: false, exchange: lent(around)? };
        let grants = Arc::clone(&self.store.data().grants);
        let seen = trailers.iter().filter(|(name, _)| grants.read.allows(name));
        let fields: Vec<_> =
            seen.map(|(name, value)| FieldParam { name: name.as_str(), value: value.as_bytes() }).collect();
        let call = async |guest: &Exports, store: &mut Store<HostState>, _: &Packed| {
            suspending::on_trailers(guest, store, message, seat.0, &fields).await
        };
        let (exchange, answer) = self.wait_for(running, around, call).await?;
        around.take_back(exchange);
        answer.and_then(|answer| trailers_step(answer, &self.store.data().grants, trailers))
    }

    /// One call on behalf of an exchange, to its end. The exchange is with the call for as long as that runs.
    async fn wait_for<T>(
        &mut self,
        running: Running,
        around: &Rc<dyn Surroundings>,
        call: impl AsyncFnOnce(&Exports, &mut Store<HostState>, &Packed) -> Result<T, CallError>,
    ) -> Result<(Box<Exchange>, Result<T, Fault>), Fault> {
        let (running, answer) = self.wait(Some(running), around, call).await;
        match running {
            Some(running) => Ok((running.exchange, answer)),
            None => Err(answer.err().unwrap_or_else(no_exchange)),
        }
    }

    /// One call to its end, on behalf of an exchange or of none.
    pub(super) async fn wait<T>(
        &mut self,
        running: Option<Running>,
        around: &Rc<dyn Surroundings>,
        call: impl AsyncFnOnce(&Exports, &mut Store<HostState>, &Packed) -> Result<T, CallError>,
    ) -> (Option<Running>, Result<T, Fault>) {
        self.begin();
        let desk = Desk::default();
        let state = self.store.data_mut();
        state.running = running;
        state.desk = Some(desk.clone());
        state.deadline.resume();
        let answer = match &self.guest {
            Guest::Suspending(guest) => {
                drive(call(guest, &mut self.store, &self.packed), &desk, &self.clock, around).await
            }
            _ => Err(CallError::Trap(format_err!("called as one that can wait"))),
        };
        let state = self.store.data_mut();
        let cpu = state.deadline.used();
        (self.exact, self.spent) = (false, Some(Spent { cpu, host: Duration::ZERO, hooks: 1 }));
        state.desk = None;
        let running = state.running.take();
        (running, self.ended(answer))
    }
}

fn lent(around: &Rc<dyn Surroundings>) -> Result<Box<Exchange>, Fault> {
    around.lend().ok_or_else(no_exchange)
}

fn no_exchange() -> Fault {
    Fault::new(FaultClass::StateLost, "the exchange is not there")
}
