//! How the answers of hooks lie in memory (the canonical ABI of `types.wit`; sizes and offsets in bytes).

use wasmtime::{Result, format_err};

use super::memory::{View, next};
use crate::message::{Edit, Message, Reply};
use crate::sandbox::answer::{self, BodyAnswer, CallError, Changes, HeadAction, HeadAnswer, TrailersAnswer};
use crate::sandbox::bindings::tollgate::filter::types::{BodyMode, Hooks, Subscription as Wanted};
use crate::sandbox::{BodyStep, TrailersStep};

const EDIT: u32 = 20;
const FIELD: u32 = 16;
const STRING: u32 = 8;

/// How many bytes the names of facts may have together.
const NAMES: usize = 64 << 10;

/// Reads what a hook, by its number, has left at an address of a guest's memory. Says whether it is an answer.
#[must_use]
pub fn read_answer(memory: &[u8], hook: u8, at: u32) -> bool {
    let view = View(memory);
    match hook % 6 {
        0 => subscription(view, at).is_ok(),
        1 => head_answer(view, at, Message::Request).is_ok(),
        2 => head_answer(view, at, Message::Response).is_ok(),
        3 => body_answer(view, at, Message::Request).is_ok(),
        4 => body_answer(view, at, Message::Response).is_ok(),
        _ => trailers_answer(view, at).is_ok(),
    }
}

/// `result<subscription, string>`.
pub(super) fn subscription(view: View<'_>, at: u32) -> Result<Wanted, CallError> {
    let at = succeeded(view, at)?;
    let flags = view.byte(at)?;
    let all = [
        Hooks::REQUEST_HEAD,
        Hooks::REQUEST_BODY,
        Hooks::REQUEST_TRAILERS,
        Hooks::RESPONSE_HEAD,
        Hooks::RESPONSE_BODY,
        Hooks::RESPONSE_TRAILERS,
        Hooks::EXCHANGE_END,
    ];
    let hooks = all.into_iter().enumerate().filter(|(bit, _)| flags & (1 << bit) != 0);
    Ok(Wanted {
        hooks: hooks.fold(Hooks::default(), |hooks, (_, hook)| hooks | hook),
        request_facts: strings(view, next(at, 4)?)?,
        response_facts: strings(view, next(at, 12)?)?,
        request_body: mode(view, next(at, 20)?)?,
        response_body: mode(view, next(at, 21)?)?,
        tick_ms: view.word(next(at, 24)?)?,
    })
}

fn mode(view: View<'_>, at: u32) -> Result<BodyMode> {
    match view.byte(at)? {
        0 => Ok(BodyMode::Pieces),
        1 => Ok(BodyMode::Whole),
        other => Err(no_case(other)),
    }
}

/// `result<head-answer, string>`.
pub(super) fn head_answer(view: View<'_>, at: u32, message: Message) -> Result<HeadAnswer, CallError> {
    let at = succeeded(view, at)?;
    let action = match view.byte(at)? {
        0 => HeadAction::Forward,
        1 => HeadAction::Hold,
        2 => HeadAction::Reply(reply(view, next(at, 4)?)?),
        other => return Err(no_case(other).into()),
    };
    Ok(HeadAnswer { action, changes: changes(view, next(at, 24)?, message)? })
}

/// `result<body-answer, string>`.
pub(super) fn body_answer(view: View<'_>, at: u32, message: Message) -> Result<BodyAnswer, CallError> {
    let at = succeeded(view, at)?;
    let payload = next(at, 4)?;
    let action = match view.byte(at)? {
        0 => BodyStep::Pass,
        1 => BodyStep::Replace(bytes::Bytes::copy_from_slice(view.bytes_at(payload)?)),
        2 => BodyStep::Reply(reply(view, payload)?),
        3 => BodyStep::End(bytes::Bytes::copy_from_slice(view.bytes_at(payload)?)),
        4 => BodyStep::Abort,
        other => return Err(no_case(other).into()),
    };
    let release = view.byte(next(at, 24)?)? != 0;
    Ok(BodyAnswer { action, release, changes: changes(view, next(at, 28)?, message)? })
}

/// `result<trailers-answer, string>`.
pub(super) fn trailers_answer(view: View<'_>, at: u32) -> Result<TrailersAnswer, CallError> {
    let at = succeeded(view, at)?;
    let action = match view.byte(at)? {
        0 => TrailersStep::Pass,
        1 => TrailersStep::Reply(reply(view, next(at, 4)?)?),
        2 => TrailersStep::Abort,
        other => return Err(no_case(other).into()),
    };
    let edits = view.elements(next(at, 24)?, EDIT)?;
    Ok(TrailersAnswer { action, changes: answer::check_bare(edits.map(|at| edit(view, at)))? })
}

/// `result<_, string>`.
pub(super) fn tick_answer(view: View<'_>, at: u32) -> Result<(), CallError> {
    succeeded(view, at).map(drop)
}

/// The edits of a list that stands somewhere else, as `exchange.apply` is given it.
pub(super) fn edits(view: View<'_>, start: u32, count: u32) -> Result<impl Iterator<Item = Result<Edit<'_>>>> {
    Ok(view.elements_of(start, count, EDIT)?.map(move |at| edit(view, at)))
}

/// Where the value of a `result<_, string>` stands that is no error; the value is aligned to four bytes.
fn succeeded(view: View<'_>, at: u32) -> Result<u32, CallError> {
    let value = next(at, 4)?;
    match view.byte(at)? {
        0 => Ok(value),
        1 => Err(CallError::reported(view.text_at(value)?)),
        other => Err(no_case(other).into()),
    }
}

fn changes(view: View<'_>, at: u32, message: Message) -> Result<Changes, CallError> {
    let elements = view.elements(at, EDIT)?;
    answer::check(elements.map(|at| edit(view, at)), message)
}

fn edit(view: View<'_>, at: u32) -> Result<Edit<'_>> {
    let name = next(at, 4)?;
    match view.byte(at)? {
        0 => field(view, name).map(|(name, value)| Edit::Set(name, value)),
        1 => field(view, name).map(|(name, value)| Edit::Add(name, value)),
        2 => view.text_at(name).map(Edit::Remove),
        other => Err(no_case(other)),
    }
}

fn field(view: View<'_>, at: u32) -> Result<(&str, &[u8])> {
    Ok((view.text_at(at)?, view.bytes_at(next(at, 8)?)?))
}

fn reply(view: View<'_>, at: u32) -> Result<Reply, CallError> {
    let fields = view.elements(next(at, 4)?, FIELD)?;
    let body = view.bytes_at(next(at, 12)?)?.to_vec();
    answer::reply(view.short(at)?, fields.map(|at| field(view, at)), body)
}

/// The strings of a list that stands somewhere else.
pub(super) fn texts(view: View<'_>, start: u32, count: u32) -> Result<impl ExactSizeIterator<Item = Result<&str>>> {
    Ok(view.elements_of(start, count, STRING)?.map(move |at| view.text_at(at)))
}

/// The pairs of strings of a list that stands somewhere else.
pub(super) fn pairs(view: View<'_>, start: u32, count: u32) -> Result<impl Iterator<Item = Result<(&str, &str)>>> {
    let pair = move |at| Ok((view.text_at(at)?, view.text_at(next(at, STRING)?)?));
    Ok(view.elements_of(start, count, 2 * STRING)?.map(pair))
}

/// The floating-point numbers of a list that stands somewhere else.
pub(super) fn numbers(view: View<'_>, start: u32, count: u32) -> Result<Vec<f64>> {
    let length = count.checked_mul(8).ok_or_else(|| format_err!("a list of the guest is larger than memory"))?;
    let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap_or_default());
    // A list that is too long is refused for that; it need not be copied whole.
    Ok(view.bytes(start, length)?.chunks_exact(8).take(64).map(number).collect())
}

fn strings(view: View<'_>, at: u32) -> Result<Vec<String>> {
    // All of them may be of the same bytes, so there can be more than the guest has memory.
    let mut room = NAMES;
    let text = |at| {
        let text = view.text_at(at)?;
        room =
            room.checked_sub(text.len()).ok_or_else(|| format_err!("names of facts are longer than {NAMES} bytes"))?;
        Ok(text.to_owned())
    };
    view.elements(at, STRING)?.map(text).collect()
}

fn no_case(case: u8) -> wasmtime::Error {
    format_err!("the guest answered with case {case}, which there is not")
}
