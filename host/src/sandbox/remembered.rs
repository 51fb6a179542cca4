//! Answers of pure head hooks, which depend on nothing but the configuration and the facts: to facts that were seen before,
//! the gateway gives the answer that was given then, and calls nobody.
//!
//! Only a filter that says so of itself is taken for pure, and of its answers only those that forward and that it came to
//! without asking the gateway for anything. Keys are compared by a keyed hash of all facts before they are compared byte by
//! byte, so the time that it takes tells nothing of a secret that is among them.

use std::hash::{BuildHasher, Hasher, RandomState};

use smallvec::SmallVec;

use super::answer::Changes;
use super::facts::FactPlan;
use super::fault::Fault;
use super::filter::Filter;
use super::instance::{HeadStep, make_all};
use crate::message::{Change, Exchange, Message};

/// How many answers there are of one hook on one worker.
const ENTRIES: usize = 64;
/// The most bytes of facts, and the most edits, that an answer is remembered with.
const MOST_FACTS: usize = 1 << 10;
const MOST_CHANGES: usize = 16;
/// After so many misses in a row, only one look of so many is taken: facts that are always new are not worth it.
const PATIENCE: u32 = 64;
const SELDOM: u32 = 16;

/// What a worker remembers of a filter.
#[derive(Default)]
pub struct Remembered {
    heads: [Hook; 2],
    hasher: RandomState,
}

#[derive(Default)]
struct Hook {
    /// The facts of the exchange at hand, each behind its length, and their hash.
    facts: Vec<u8>,
    hash: u64,
    entries: Vec<Option<Entry>>,
    /// How often nothing was found since something was; beyond `PATIENCE`, how many looks have been left out since the last.
    misses: u32,
}

struct Entry {
    hash: u64,
    /// Beside the hash, as what is looked at together is best fetched together.
    facts: SmallVec<[u8; 48]>,
    changes: Box<[Change]>,
}

impl Remembered {
    /// What the hook would answer, with its edits made, if that is known.
    pub fn recall(
        &mut self,
        filter: &Filter,
        exchange: &mut Exchange,
        message: Message,
    ) -> Option<Result<HeadStep, Fault>> {
        let hook = &mut self.heads[usize::from(message == Message::Response)];
        hook.misses += 1;
        if hook.misses == PATIENCE + SELDOM {
            hook.misses = PATIENCE;
        }
        if hook.misses > PATIENCE {
            return None;
        }
        write(filter.subscription.plan(message), exchange, message, &mut hook.facts);
        hook.hash = if hook.facts.is_empty() { 0 } else { hash(&self.hasher, &hook.facts) };
        let entry = hook.entries.get(place(hook.hash)).and_then(Option::as_ref)?;
        if entry.hash != hook.hash || *entry.facts != *hook.facts {
            return None;
        }
        hook.misses = 0;
        let made = make_all(&entry.changes, |change| change.make_again(exchange, message));
        Some(made.map(|()| HeadStep::Forward))
    }

    /// The hook that was asked because nothing was known would make these edits and forward.
    pub(super) fn keep(&mut self, message: Message, changes: &Changes) {
        let hook = &mut self.heads[usize::from(message == Message::Response)];
        let has_looked = hook.misses <= PATIENCE;
        if !has_looked || hook.facts.len() > MOST_FACTS || changes.len() > MOST_CHANGES {
            return;
        }
        hook.entries.resize_with(ENTRIES, || None);
        let (facts, changes) = (SmallVec::from_slice(&hook.facts), changes.as_slice().into());
        hook.entries[place(hook.hash)] = Some(Entry { hash: hook.hash, facts, changes });
    }
}

/// Writes each fact behind its length, or a length that none has for one that is absent.
fn write(plan: &FactPlan, exchange: &Exchange, message: Message, facts: &mut Vec<u8>) {
    facts.clear();
    for fact in &plan.facts {
        let at = facts.len();
        facts.extend_from_slice(&u32::MAX.to_le_bytes());
        if fact.write(exchange, message, facts) {
            let length = u32::try_from(facts.len() - at - 4).unwrap_or(u32::MAX - 1);
            facts[at..at + 4].copy_from_slice(&length.to_le_bytes());
        }
    }
}

fn hash(hasher: &RandomState, facts: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(facts);
    hasher.finish()
}

/// Where an answer stands; what stood there is forgotten.
fn place(hash: u64) -> usize {
    usize::try_from(hash % ENTRIES as u64).unwrap_or_default()
}
