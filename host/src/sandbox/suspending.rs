//! Calls into a component that may wait, through the generated bindings: as `component.rs`, but each call is a future.

use wasmtime::Store;

use super::answer::{BodyAnswer, CallError, HeadAnswer, TrailersAnswer};
use super::bindings::suspending::Suspending as Filter;
use super::bindings::tollgate::filter::types::{Facts, FieldParam, Subscription as Wanted};
use super::component;
use super::facts::Packed;
use super::guest::Id;
use super::instance::HostState;
use super::suspend::at_once;
use crate::message::Message;

/// There is nobody yet who would carry errands out.
pub(super) fn configure(
    guest: &Filter,
    store: &mut Store<HostState>,
    configuration: &str,
) -> Result<Wanted, CallError> {
    at_once(guest.tollgate_filter_hooks().call_configure(store, configuration))?.map_err(CallError::reported)
}

pub(super) async fn on_head(
    guest: &Filter,
    store: &mut Store<HostState>,
    message: Message,
    id: Id,
    facts: &Packed,
) -> Result<HeadAnswer, CallError> {
    let hooks = guest.tollgate_filter_hooks();
    let facts = Facts { data: &facts.data, ends: &facts.ends };
    let answer = match message {
        Message::Request => hooks.call_on_request_head(store, id, facts).await,
        Message::Response => hooks.call_on_response_head(store, id, facts).await,
    }?;
    component::head_answer(answer, message)
}

pub(super) async fn on_body(
    guest: &Filter,
    store: &mut Store<HostState>,
    message: Message,
    id: Id,
    piece: &[u8],
    last: bool,
) -> Result<BodyAnswer, CallError> {
    let hooks = guest.tollgate_filter_hooks();
    let answer = match message {
        Message::Request => hooks.call_on_request_body(store, id, piece, last).await,
        Message::Response => hooks.call_on_response_body(store, id, piece, last).await,
    }?;
    component::body_answer(answer, message)
}

pub(super) async fn on_trailers(
    guest: &Filter,
    store: &mut Store<HostState>,
    message: Message,
    id: Id,
    fields: &[FieldParam<'_>],
) -> Result<TrailersAnswer, CallError> {
    let hooks = guest.tollgate_filter_hooks();
    let answer = match message {
        Message::Request => hooks.call_on_request_trailers(store, id, fields).await,
        Message::Response => hooks.call_on_response_trailers(store, id, fields).await,
    }?;
    component::trailers_answer(answer)
}

/// There is nobody any more who would carry errands out.
pub(super) fn on_end(guest: &Filter, store: &mut Store<HostState>, id: Id) -> Result<(), CallError> {
    Ok(at_once(guest.tollgate_filter_hooks().call_on_exchange_end(store, id))?)
}

pub(super) async fn on_tick(guest: &Filter, store: &mut Store<HostState>) -> Result<(), CallError> {
    guest.tollgate_filter_hooks().call_on_tick(store).await?.map_err(CallError::reported)
}
