//! `on-fault`: what a request gets when the filter of a policy fails, for all faults or by class.

use http::StatusCode;

use super::section::{Item, Section};
use crate::telemetry::{ByFaultClass, FaultClass};

/// What a request gets for a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAnswer {
    /// `"deny"`: a reply with this status.
    Deny(StatusCode),
    /// `"bypass"`: the same as without the filter.
    Bypass,
}

impl FaultAnswer {
    /// What is done unless something else is said.
    pub const DENY: Self = Self::Deny(StatusCode::SERVICE_UNAVAILABLE);
}

/// What a request gets, for each class of fault.
pub type OnFault = ByFaultClass<FaultAnswer>;

impl Default for OnFault {
    fn default() -> Self {
        Self::all(FaultAnswer::DENY)
    }
}

/// A word for all classes, or a table with `default`, `status` and the classes.
pub(super) fn read(item: Item<'_>) -> Option<OnFault> {
    if item.is_table() { item.section().map(read_table) } else { read_answer(item, None).map(OnFault::all) }
}

fn read_table(mut section: Section<'_>) -> OnFault {
    let status = section.take("status").and_then(|item| item.count(400, 599));
    let status = status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let default = section.take("default").and_then(|item| read_answer(item, status));
    let deny = FaultAnswer::Deny(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE));
    let mut answers = OnFault::all(default.unwrap_or(deny));
    for class in FaultClass::ALL {
        if let Some(answer) = section.take(class.label()).and_then(|item| read_answer(item, status)) {
            answers.set(class, answer);
        }
    }
    section.finish();
    answers
}

/// `deny` is with the given status.
pub(super) fn read_answer(item: Item<'_>, status: Option<StatusCode>) -> Option<FaultAnswer> {
    let report = item.report();
    let text = item.string()?;
    match text.value.as_str() {
        "deny" => Some(FaultAnswer::Deny(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE))),
        "bypass" => Some(FaultAnswer::Bypass),
        other => {
            report.at(&text, format!("{other:?} is not known"), "write \"deny\" or \"bypass\"");
            None
        }
    }
}
