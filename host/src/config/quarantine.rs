//! `quarantine` of a policy: when its filter is not called any more for a while.

use std::time::Duration;

use super::{
    FaultAnswer, Share, on_fault,
    section::{Item, Section},
};

/// How many faults in what time are too many, and what is done then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quarantine {
    /// `faults`: how many.
    pub faults: u32,
    /// `within`: in what time.
    pub within: Duration,
    /// `share`: at least this part of the exchanges of that time.
    pub share: Share,
    /// `action`: what exchanges get instead.
    pub action: FaultAnswer,
    /// `probe`: after what time the filter is tried again with one exchange.
    pub probe: Duration,
}

pub(super) fn read(mut section: Section<'_>) -> Option<Quarantine> {
    let (milli, hour) = (Duration::from_millis(1), Duration::from_secs(3_600));
    let faults = section.take("faults").map_or(Some(20), |item| item.count(1, 1_000_000));
    let within = section.take("within").and_then(|item| item.duration(milli, hour));
    let share = section.take("share").and_then(Item::share);
    let action =
        section.need("action", "write action = \"deny\", or \"bypass\" if requests may go on without the filter");
    let action = action.and_then(|item| on_fault::read_answer(item, None));
    let probe = section.take("probe").and_then(|item| item.duration(milli, hour));
    section.finish();
    Some(Quarantine {
        faults: u32::try_from(faults?).ok()?,
        within: within.unwrap_or(Duration::from_secs(10)),
        share: share.unwrap_or(Share::per_mille(500)),
        action: action?,
        probe: probe.unwrap_or(Duration::from_secs(5)),
    })
}
