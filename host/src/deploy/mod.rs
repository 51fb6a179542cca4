//! What a change of a policy goes through and what is remembered of it: versions, the history, and what served before.
//!
//! A [`Version`] is a module with its entry. Each stage of a change is written into the [`Journal`].

mod home;
mod journal;
mod record;
mod steps;
mod version;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub use self::home::Home;
pub use self::journal::Journal;
pub use self::record::{Record, Stage, Verdict};
pub use self::steps::Steps;
pub use self::version::Version;

use crate::config::Source;

/// What a gateway remembers of its changes.
#[derive(Debug, Default)]
pub struct Deploy {
    /// The history.
    pub journal: Arc<Journal>,
    change: Mutex<Change>,
}

/// Why there is something to do.
#[derive(Debug)]
struct Change {
    /// Counts changes, over restarts too.
    number: u64,
    /// Who wants it.
    by: String,
    /// From where, if it is a person.
    from: Option<String>,
    /// What went before, which is worth a record only if something comes of it.
    preface: Vec<Record>,
}

impl Default for Change {
    fn default() -> Self {
        Self { number: 0, by: Record::FILE.to_owned(), from: None, preface: Vec::new() }
    }
}

impl Deploy {
    /// Opens what the gateway that serves from there has kept below a state directory. Where nothing can be kept, it is
    /// said in the log, and all is in memory only.
    #[must_use]
    pub fn open(state_dir: Option<&Path>, source: &Source) -> Self {
        let Some(state_dir) = state_dir else { return Self::default() };
        let home = Home::of(state_dir, source);
        match home.make(source).and_then(|()| Journal::open(home.path())) {
            Ok(journal) => Self { journal: Arc::new(journal), change: Mutex::default() },
            Err(error) => {
                tracing::warn!(folder = %home.path().display(), %error, "the history is not kept; name a private folder with --state-dir");
                Self::default()
            }
        }
    }

    /// A change begins: what is recorded from now on belongs to it.
    pub fn begin(&self, by: &str, from: Option<&str>) -> u64 {
        let number = self.journal.begin();
        *self.change() = Change { number, by: by.to_owned(), from: from.map(ToOwned::to_owned), preface: Vec::new() };
        number
    }

    /// A record of the change that is under way.
    #[must_use]
    pub fn note(&self, stage: Stage) -> Record {
        let change = self.change();
        Record::new(change.number, stage).by(&change.by, change.from.as_deref())
    }

    /// Writes a record down.
    pub fn record(&self, record: Record) {
        let preface = std::mem::take(&mut self.change().preface);
        preface.into_iter().chain([record]).for_each(|record| self.journal.record(record));
    }

    /// Writes a record down before the next one of this change, if there is one: a change of nothing is not worth a line.
    pub fn before(&self, record: Record) {
        self.change().preface.push(record);
    }

    fn change(&self) -> std::sync::MutexGuard<'_, Change> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
