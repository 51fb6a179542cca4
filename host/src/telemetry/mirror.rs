//! Counters of the copies of requests that mirrors get.

use std::sync::Arc;

use super::counters::Counters;
use super::metrics::Page;
use super::names;

/// Why a copy came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyLost {
    /// Too many were under way.
    Busy,
    /// The mirror took the body too slowly, or took too long to answer.
    Slow,
    /// What it is a copy of broke off.
    Original,
    /// The mirror gave no valid response.
    Failed,
}

const LOST: [(CopyLost, &str); 4] = [
    (CopyLost::Busy, "busy"),
    (CopyLost::Slow, "slow"),
    (CopyLost::Original, "original"),
    (CopyLost::Failed, "failed"),
];

/// Counters of one route's copies.
#[derive(Debug, Default)]
pub struct MirrorMetrics(Counters<{ 1 + LOST.len() }>);

impl MirrorMetrics {
    /// The mirror has answered, whatever it was.
    pub fn answered(&self) {
        self.0.add(0, 1);
    }

    /// A copy came to nothing.
    pub fn lost(&self, why: CopyLost) {
        self.0.add(1 + why as usize, 1);
    }
}

pub(super) fn render(page: &mut Page, mirrors: &[(String, Arc<MirrorMetrics>)]) {
    page.family(names::MIRROR_ANSWERS, "counter", "copies of requests that a mirror has answered, by route");
    for (route, metrics) in mirrors {
        page.sample(names::MIRROR_ANSWERS, &[("route", route)], metrics.0.sum(0));
    }
    page.family(names::MIRROR_LOST, "counter", "copies of requests that came to nothing, by route and reason");
    for (route, metrics) in mirrors {
        for (why, reason) in LOST {
            page.sample(names::MIRROR_LOST, &[("route", route), ("reason", reason)], metrics.0.sum(1 + why as usize));
        }
    }
}
