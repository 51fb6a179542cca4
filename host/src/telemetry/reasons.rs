//! Counts by reason, for reasons that are known elsewhere.

use std::sync::OnceLock;

use super::counters::Counters;

/// The most reasons that there can be.
const REASONS: usize = 32;

/// Counts by reason.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    counters: Counters<REASONS>,
    labels: [OnceLock<&'static str>; REASONS],
}

impl Reasons {
    /// Counts one, by the reason's number and name.
    pub(super) fn count(&self, reason: usize, label: &'static str) {
        let reason = reason.min(REASONS - 1);
        self.labels[reason].get_or_init(|| label);
        self.counters.add(reason, 1);
    }

    /// The reasons that there have been.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let known = self.labels.iter().enumerate().filter_map(|(reason, label)| Some((reason, *label.get()?)));
        known.map(|(reason, label)| (label, self.counters.sum(reason)))
    }
}
