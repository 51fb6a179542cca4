//! What hooks answer, in the gateway's own terms: checked, and free of the guest's memory.

use http::{HeaderMap, StatusCode};

use super::fault::{Fault, FaultClass};
use crate::message::{Change, Edit, EditError, Message, Reply};

/// How many edits an answer may have: more than any message has fields, and too few to fill a header map.
pub(super) const MAX_EDITS: usize = 1_024;

/// How many bytes the names and values of an answer's edits, or of a reply's fields, may have together: more than any head.
/// A guest need not have so much memory to answer with more, as all its edits may be of the same bytes.
const MAX_EDIT_BYTES: usize = 1 << 20;

/// Edits that are known to be possible. All of an answer are made, or none.
pub(super) type Changes = Vec<Change>;

/// The answer of a head hook.
pub(super) struct HeadAnswer {
    pub(super) action: HeadAction,
    pub(super) changes: Changes,
}

pub(super) enum HeadAction {
    Forward,
    Hold,
    Reply(Reply),
}

/// The answer of a body hook.
pub(super) struct BodyAnswer {
    pub(super) action: super::BodyStep,
    pub(super) release: bool,
    pub(super) changes: Changes,
}

/// The answer of a trailers hook.
pub(super) struct TrailersAnswer {
    pub(super) action: super::TrailersStep,
    pub(super) changes: Changes,
}

/// Why a call into a guest has no answer.
pub(super) enum CallError {
    /// It did not return, or what it returned cannot be read. The instance is lost.
    Trap(wasmtime::Error),
    /// It answered with an error, or with something that cannot be done.
    Fault(Fault),
}

impl From<wasmtime::Error> for CallError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

impl CallError {
    /// The hook's own word that it failed.
    pub(super) fn reported(told: impl AsRef<str>) -> Self {
        Self::Fault(Fault::reported(told.as_ref()))
    }

    pub(super) fn answer(message: impl Into<String>) -> Self {
        Self::Fault(Fault::new(FaultClass::Answer, message))
    }
}

impl From<EditError> for CallError {
    fn from(error: EditError) -> Self {
        Self::answer(error.to_string())
    }
}

/// The edits of a head.
pub(super) fn check<'a>(
    edits: impl ExactSizeIterator<Item = wasmtime::Result<Edit<'a>>>,
    message: Message,
) -> Result<Changes, CallError> {
    let (mut room, mut changes) = (Room::default(), room_for(edits.len())?);
    // A loop: collecting into a `Result` moves each change, and the list, several times.
    for edit in edits {
        changes.push(room.admit(edit?)?.check(message)?);
    }
    Ok(changes)
}

/// The edits of trailers.
pub(super) fn check_bare<'a>(
    edits: impl ExactSizeIterator<Item = wasmtime::Result<Edit<'a>>>,
) -> Result<Changes, CallError> {
    let (mut room, mut changes) = (Room::default(), room_for(edits.len())?);
    for edit in edits {
        changes.push(room.admit(edit?)?.check_bare()?);
    }
    Ok(changes)
}

/// A list for so many edits. Too many are refused before any is looked at.
fn room_for(edits: usize) -> Result<Changes, CallError> {
    if edits > MAX_EDITS {
        return Err(CallError::answer(format!("{edits} edits are more than {MAX_EDITS}")));
    }
    Ok(Changes::with_capacity(edits))
}

/// How much more there may be in the edits of an answer.
pub(super) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MAX_EDIT_BYTES)
    }
}

impl Room {
    /// Refuses the edit that would be too much, before anything of it is copied.
    pub(super) fn admit<'a>(&mut self, edit: Edit<'a>) -> Result<Edit<'a>, EditError> {
        self.0 = self.0.checked_sub(edit.size()).ok_or(EditError::TooMany)?;
        Ok(edit)
    }
}

/// A reply from its parts.
pub(super) fn reply<'a>(
    status: u16,
    fields: impl ExactSizeIterator<Item = wasmtime::Result<(&'a str, &'a [u8])>>,
    body: Vec<u8>,
) -> Result<Reply, CallError> {
    let status = StatusCode::from_u16(status)
        .ok()
        .filter(|status| (200..600).contains(&status.as_u16()))
        .ok_or_else(|| CallError::answer(format!("{status} is not a final status code")))?;
    let mut headers = HeaderMap::try_with_capacity(fields.len().saturating_add(2)).map_err(|_| EditError::TooMany)?;
    let mut room = Room::default();
    for field in fields {
        let (name, value) = field?;
        room.admit(Edit::Add(name, value))?.check_bare()?.make_bare(&mut headers)?;
    }
    Ok(Reply::new(status, headers, body.into()))
}
