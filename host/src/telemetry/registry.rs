//! How often registries and bundles are looked at for modules, and what comes of it.

use super::counters::Counters;
use super::metrics::Page;
use super::names;

/// What can come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Something else was there, and was fetched.
    Fetched,
    /// What was there is known.
    Unchanged,
    /// Nothing could be had.
    Failed,
}

const OUTCOMES: [(Looked, &str); 3] =
    [(Looked::Fetched, "fetched"), (Looked::Unchanged, "unchanged"), (Looked::Failed, "failed")];

/// Counts of it.
#[derive(Debug, Default)]
pub struct RegistryMetrics(Counters<{ OUTCOMES.len() }>);

impl RegistryMetrics {
    /// A reference was looked at.
    pub fn looked(&self, outcome: Looked) {
        self.0.add(outcome as usize, 1);
    }

    pub(super) fn render(&self, page: &mut Page) {
        page.family(names::REGISTRY_LOOKS, "counter", "looks at references to modules, by what came of them");
        for (outcome, label) in OUTCOMES {
            page.sample(names::REGISTRY_LOOKS, &[("outcome", label)], self.0.sum(outcome as usize));
        }
    }
}
