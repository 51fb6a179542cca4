//! Calls into a component, through the generated bindings.

use wasmtime::Store;

use super::answer::{self, BodyAnswer, CallError, Changes, HeadAction, HeadAnswer, TrailersAnswer};
use super::bindings::Filter;
use super::bindings::tollgate::filter::types::{
    BodyAction, BodyAnswer as GuestBodyAnswer, Edit as GuestEdit, Facts, FieldParam, HeadAction as GuestHeadAction,
    HeadAnswer as GuestHeadAnswer, Reply as GuestReply, Subscription as Wanted, TrailersAction,
    TrailersAnswer as GuestTrailersAnswer,
};
use super::facts::Packed;
use super::guest::Id;
use super::instance::HostState;
use super::{BodyStep, TrailersStep};
use crate::message::{Edit, Message, Reply};

pub(super) fn configure(
    guest: &Filter,
    store: &mut Store<HostState>,
    configuration: &str,
) -> Result<Wanted, CallError> {
    guest.tollgate_filter_hooks().call_configure(store, configuration)?.map_err(CallError::reported)
}

pub(super) fn on_head(
    guest: &Filter,
    store: &mut Store<HostState>,
    message: Message,
    id: Id,
    facts: &Packed,
) -> Result<HeadAnswer, CallError> {
    let hooks = guest.tollgate_filter_hooks();
    let facts = Facts { data: &facts.data, ends: &facts.ends };
    let answer = match message {
        Message::Request => hooks.call_on_request_head(store, id, facts),
        Message::Response => hooks.call_on_response_head(store, id, facts),
    }?;
    head_answer(answer, message)
}

/// What a head hook has answered, in the gateway's terms.
pub(super) fn head_answer(answer: Result<GuestHeadAnswer, String>, message: Message) -> Result<HeadAnswer, CallError> {
    let answer = answer.map_err(CallError::reported)?;
    let action = match answer.action {
        GuestHeadAction::Forward => HeadAction::Forward,
        GuestHeadAction::Hold => HeadAction::Hold,
        GuestHeadAction::Reply(reply) => HeadAction::Reply(self::reply(reply)?),
    };
    Ok(HeadAnswer { action, changes: changes(&answer.edits, message)? })
}

pub(super) fn on_body(
    guest: &Filter,
    store: &mut Store<HostState>,
    message: Message,
    id: Id,
    piece: &[u8],
    last: bool,
) -> Result<BodyAnswer, CallError> {
    let hooks = guest.tollgate_filter_hooks();
    let answer = match message {
        Message::Request => hooks.call_on_request_body(store, id, piece, last),
        Message::Response => hooks.call_on_response_body(store, id, piece, last),
    }?;
    body_answer(answer, message)
}

/// What a body hook has answered.
pub(super) fn body_answer(answer: Result<GuestBodyAnswer, String>, message: Message) -> Result<BodyAnswer, CallError> {
    let answer = answer.map_err(CallError::reported)?;
    let action = match answer.action {
        BodyAction::Pass => BodyStep::Pass,
        BodyAction::Replace(content) => BodyStep::Replace(content.into()),
        BodyAction::Reply(reply) => BodyStep::Reply(self::reply(reply)?),
        BodyAction::End(content) => BodyStep::End(content.into()),
        BodyAction::Abort => BodyStep::Abort,
    };
    Ok(BodyAnswer { action, release: answer.release, changes: changes(&answer.edits, message)? })
}

pub(super) fn on_trailers(
    guest: &Filter,
    store: &mut Store<HostState>,
    message: Message,
    id: Id,
    fields: &[FieldParam<'_>],
) -> Result<TrailersAnswer, CallError> {
    let hooks = guest.tollgate_filter_hooks();
    let answer = match message {
        Message::Request => hooks.call_on_request_trailers(store, id, fields),
        Message::Response => hooks.call_on_response_trailers(store, id, fields),
    }?;
    trailers_answer(answer)
}

/// What a trailers hook has answered.
pub(super) fn trailers_answer(answer: Result<GuestTrailersAnswer, String>) -> Result<TrailersAnswer, CallError> {
    let answer = answer.map_err(CallError::reported)?;
    let action = match answer.action {
        TrailersAction::Pass => TrailersStep::Pass,
        TrailersAction::Reply(reply) => TrailersStep::Reply(self::reply(reply)?),
        TrailersAction::Abort => TrailersStep::Abort,
    };
    Ok(TrailersAnswer { action, changes: answer::check_bare(answer.edits.iter().map(|edit| Ok(edit.into())))? })
}

pub(super) fn on_end(guest: &Filter, store: &mut Store<HostState>, id: Id) -> Result<(), CallError> {
    Ok(guest.tollgate_filter_hooks().call_on_exchange_end(store, id)?)
}

pub(super) fn on_tick(guest: &Filter, store: &mut Store<HostState>) -> Result<(), CallError> {
    guest.tollgate_filter_hooks().call_on_tick(store)?.map_err(CallError::reported)
}

fn changes(edits: &[GuestEdit], message: Message) -> Result<Changes, CallError> {
    answer::check(edits.iter().map(|edit| Ok(edit.into())), message)
}

fn reply(reply: GuestReply) -> Result<Reply, CallError> {
    let fields = reply.fields.iter().map(|field| Ok((&*field.name, &*field.value)));
    answer::reply(reply.status, fields, reply.body)
}

impl<'a> From<&'a GuestEdit> for Edit<'a> {
    fn from(edit: &'a GuestEdit) -> Self {
        match edit {
            GuestEdit::Set(field) => Self::Set(&field.name, &field.value),
            GuestEdit::Add(field) => Self::Add(&field.name, &field.value),
            GuestEdit::Remove(name) => Self::Remove(name),
        }
    }
}
