//! A configured filter: calls its hooks with what the gateway hands over.

use std::time::Duration;

use crate::bindings::tollgate::filter::exchange::Message;
use crate::bindings::tollgate::filter::types::{self, Field};
use crate::configuration;
use crate::edits::Edits;
use crate::interest::Names;
use crate::message::{Facts, Head};
use crate::state::States;
use crate::{
    Body, BodyOutcome, Fault, Filter, Hook, Interest, Outcome, Piece, Request, Response, Tail, Trailers,
    TrailersOutcome,
};

pub(crate) struct Runtime<F: Filter> {
    filter: F,
    request_names: Names,
    response_names: Names,
    pub(crate) edits: Edits,
    states: States<F::State>,
}

impl<F: Filter> Runtime<F> {
    pub(crate) fn configure(json: &str) -> Result<(Self, types::Subscription), String> {
        let mut filter: F = configuration::read(json)?;
        filter.check()?;
        let interest = filter.interest();
        let subscription = types::Subscription {
            hooks: Self::hooks(&interest.without),
            request_facts: interest.request.to_list(),
            response_facts: interest.response.to_list(),
            request_body: mode(&interest.whole, Hook::RequestBody),
            response_body: mode(&interest.whole, Hook::ResponseBody),
            tick_ms: Self::tick(&interest),
        };
        let runtime = Self {
            filter,
            request_names: interest.request,
            response_names: interest.response,
            edits: Edits::new(),
            states: States::new(),
        };
        Ok((runtime, subscription))
    }

    /// Milliseconds between ticks; 0 for none.
    fn tick(interest: &Interest) -> u32 {
        if !F::HOOKS.contains(&Hook::Tick) || interest.without.contains(&Hook::Tick) {
            return 0;
        }
        let period = interest.every.unwrap_or(Duration::from_secs(60));
        // What is shorter than the gateway allows is for the gateway to refuse.
        u32::try_from(period.as_millis()).unwrap_or(u32::MAX).max(1)
    }

    fn hooks(without: &[Hook]) -> types::Hooks {
        let end = States::<F::State>::KEPT.then_some(Hook::End);
        F::HOOKS
            .iter()
            .copied()
            .chain(end)
            .filter(|hook| !without.contains(hook))
            .fold(types::Hooks::empty(), |hooks, hook| hooks | hook.flag())
    }

    #[inline]
    pub(crate) fn request_head(&mut self, exchange: u32, data: &[u8], ends: &[u32]) -> Outcome {
        self.edits.clear();
        let facts = Facts { names: &self.request_names, data, ends };
        self.filter.on_request(&mut Request(Head {
            exchange,
            message: Message::Request,
            facts,
            edits: &mut self.edits,
            states: &mut self.states,
            released: false,
        }))
    }

    #[inline]
    pub(crate) fn response_head(&mut self, exchange: u32, data: &[u8], ends: &[u32]) -> Outcome {
        self.edits.clear();
        let facts = Facts { names: &self.response_names, data, ends };
        self.filter.on_response(&mut Response(Head {
            exchange,
            message: Message::Response,
            facts,
            edits: &mut self.edits,
            states: &mut self.states,
            released: false,
        }))
    }

    pub(crate) fn request_body(
        &mut self,
        exchange: u32,
        bytes: Vec<u8>,
        last: bool,
    ) -> Result<types::BodyAnswer, Fault> {
        let (head, filter) = self.undeclared(exchange, Message::Request);
        let mut request = Request(head);
        let outcome = filter.on_request_body(&mut request, Piece::new(bytes, last));
        answer(outcome, request.0)
    }

    pub(crate) fn response_body(
        &mut self,
        exchange: u32,
        bytes: Vec<u8>,
        last: bool,
    ) -> Result<types::BodyAnswer, Fault> {
        let (head, filter) = self.undeclared(exchange, Message::Response);
        let mut response = Response(head);
        let outcome = filter.on_response_body(&mut response, Piece::new(bytes, last));
        answer(outcome, response.0)
    }

    pub(crate) fn request_trailers(&mut self, exchange: u32, fields: &[Field]) -> Result<types::TrailersAnswer, Fault> {
        let mut edits = Edits::new();
        let (head, filter) = self.undeclared(exchange, Message::Request);
        let outcome = filter.on_request_trailers(&mut Request(head), &mut Trailers { fields, edits: &mut edits });
        self.tail(outcome, edits)
    }

    pub(crate) fn response_trailers(
        &mut self,
        exchange: u32,
        fields: &[Field],
    ) -> Result<types::TrailersAnswer, Fault> {
        let mut edits = Edits::new();
        let (head, filter) = self.undeclared(exchange, Message::Response);
        let outcome = filter.on_response_trailers(&mut Response(head), &mut Trailers { fields, edits: &mut edits });
        self.tail(outcome, edits)
    }

    pub(crate) fn end(&mut self, exchange: u32) {
        let state = self.states.take(exchange);
        self.filter.on_end(state);
    }

    pub(crate) fn on_tick(&self) -> Result<(), Fault> {
        self.filter.on_tick()
    }

    /// The answer of a trailers hook, which has no place for edits of the head.
    fn tail(&self, outcome: TrailersOutcome, mut edits: Edits) -> Result<types::TrailersAnswer, Fault> {
        let action = match outcome? {
            Tail::Pass => types::TrailersAction::Pass,
            Tail::Reply(reply) => types::TrailersAction::Reply(reply.into()),
            Tail::Abort => types::TrailersAction::Abort,
        };
        if self.edits.is_empty() {
            Ok(types::TrailersAnswer { action, edits: edits.take_list() })
        } else {
            Err(Fault::new("a trailers hook edited the head, which has gone"))
        }
    }

    /// A head of whose facts none came along, and the filter that will look at it.
    fn undeclared(&mut self, exchange: u32, message: Message) -> (Head<'_, F::State>, &F) {
        self.edits.clear();
        let (edits, states) = (&mut self.edits, &mut self.states);
        (Head { exchange, message, facts: Facts::NONE, edits, states, released: false }, &self.filter)
    }
}

fn mode(whole: &[Hook], hook: Hook) -> types::BodyMode {
    if whole.contains(&hook) { types::BodyMode::Whole } else { types::BodyMode::Pieces }
}

fn answer<S>(outcome: BodyOutcome, head: Head<'_, S>) -> Result<types::BodyAnswer, Fault> {
    let action = match outcome? {
        Body::Pass => types::BodyAction::Pass,
        Body::Replace(bytes) => types::BodyAction::Replace(bytes),
        Body::Reply(reply) => types::BodyAction::Reply(reply.into()),
        Body::End(bytes) => types::BodyAction::End(bytes),
        Body::Abort => types::BodyAction::Abort,
    };
    Ok(types::BodyAnswer { action, release: head.released, edits: head.edits.take_list() })
}
