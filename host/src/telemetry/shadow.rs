//! In what a version that only looks on differs from the one before it: counted, and the last ones as they were.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::counters::Counters;

/// How many are kept as they were.
const SAMPLES: usize = 20;

/// How much of a path is kept.
const PATH: usize = 200;

/// A way to differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It would have replied, or not.
    Decision,
    /// Another status.
    Status,
    /// Another method or target.
    Target,
    /// Other fields.
    Fields,
    /// Another identity, class or attribute.
    Context,
    /// It has faulted.
    Fault,
}

impl Difference {
    /// Every way, in the order of the cases.
    pub const ALL: [Self; 6] = [Self::Decision, Self::Status, Self::Target, Self::Fields, Self::Context, Self::Fault];

    /// As pages name it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Status => "status",
            Self::Target => "target",
            Self::Fields => "fields",
            Self::Context => "context",
            Self::Fault => "fault",
        }
    }
}

/// All that has been found.
#[derive(Debug, Default)]
pub struct Differences {
    /// By the way, and at last the heads that were the same.
    counters: Counters<{ Difference::ALL.len() + 1 }>,
    samples: Mutex<VecDeque<Sample>>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The path of the request, without its query, which may hold credentials.
    pub path: String,
    /// What was different; no values of fields.
    pub what: String,
}

impl Differences {
    /// A head was treated the same.
    pub fn agrees(&self) {
        self.counters.add(Difference::ALL.len(), 1);
    }

    /// It was not.
    pub fn differs(&self, difference: Difference, path: &str, what: impl FnOnce() -> String) {
        self.counters.add(difference as usize, 1);
        // Nobody waits for anybody: one that comes while another is written down is only counted.
        let Ok(mut samples) = self.samples.try_lock() else { return };
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(Sample { path: path.chars().take(PATH).collect(), what: what() });
    }

    /// How many differences there have been.
    #[must_use]
    pub fn count(&self) -> u64 {
        Difference::ALL.iter().map(|way| self.of(*way)).sum()
    }

    /// How many of that kind.
    #[must_use]
    pub fn of(&self, difference: Difference) -> u64 {
        self.counters.sum(difference as usize)
    }

    /// How many heads were treated the same.
    #[must_use]
    pub fn same(&self) -> u64 {
        self.counters.sum(Difference::ALL.len())
    }

    /// The newest ones, the oldest of them first.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        self.samples.lock().map(|samples| samples.iter().cloned().collect()).unwrap_or_default()
    }
}
