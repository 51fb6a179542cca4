//! What a change of a policy goes through and what is remembered of it: versions, the history, and what served before.
//!
//! A [`Version`] is a module with its entry. Each stage of a change is written into the [`Journal`]. After each swap what serves is
//! written down as a whole ([`Deploy::served`]): modules and texts by their digest, and then one small file that says which.
//! So a start finds one complete state, whenever the one before it ended, and any policy can go back to a version that it had.

mod blobs;
mod disk;
mod fetched;
mod holds;
mod home;
mod journal;
mod proof;
mod record;
mod served;
mod state;
mod steps;
mod version;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::fetched::{FetchedStore, Known};
pub use self::holds::{Before, Held, HoldError, Operation};
pub use self::home::Home;
pub use self::journal::Journal;
pub use self::proof::{KeptPolicy, Proof};
pub use self::record::{Record, Stage, Verdict};
pub use self::served::{Fresh, Serving};
pub use self::steps::Steps;
pub use self::version::Version;

use self::blobs::Blobs;
use self::state::State;
use crate::config::Source;

/// How large all that is kept may get where the configuration does not say, in bytes.
pub const DEFAULT_SIZE: u64 = 1 << 30;

/// What a gateway remembers of its changes.
#[derive(Debug)]
pub struct Deploy {
    /// The history.
    pub journal: Arc<Journal>,
    /// Where all is kept; without it, nothing is but the history in memory.
    shelf: Option<Shelf>,
    state: Mutex<State>,
    change: Mutex<Change>,
    bound: AtomicU64,
}

/// A gateway's own folder.
#[derive(Debug)]
struct Shelf {
    home: Home,
    blobs: Blobs,
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

impl Default for Deploy {
    fn default() -> Self {
        Self {
            journal: Arc::default(),
            shelf: None,
            state: Mutex::default(),
            change: Mutex::default(),
            bound: AtomicU64::new(DEFAULT_SIZE),
        }
    }
}

impl Deploy {
    /// Opens what the gateway that serves from there has kept below a state directory. Where nothing can be kept, it is
    /// said in the log, and all is in memory only.
    #[must_use]
    pub fn open(state_dir: Option<&Path>, source: &Source) -> Self {
        let Some(state_dir) = state_dir else { return Self::default() };
        let home = Home::of(state_dir, source);
        match Self::open_home(home.clone(), source) {
            Ok(opened) => opened,
            Err(error) => {
                let remedy = "name a private folder with --state-dir";
                tracing::warn!(folder = %home.path().display(), %error, remedy, "nothing is remembered of changes");
                Self::default()
            }
        }
    }

    fn open_home(home: Home, source: &Source) -> std::io::Result<Self> {
        home.make(source)?;
        let journal = Arc::new(Journal::open(home.path())?);
        let state = State::read(home.path()).unwrap_or_else(|error| {
            let folder = home.path().display();
            tracing::error!(%folder, %error, "what served before cannot be read, and nor can pins; it is written anew");
            State::default()
        });
        let blobs = Blobs::open(home.path())?;
        let shelf = Some(Shelf { home, blobs });
        Ok(Self { journal, shelf, state: Mutex::new(state), ..Self::default() })
    }

    /// The gateway's own folder, if it has one.
    #[must_use]
    pub fn home(&self) -> Option<&Home> {
        self.shelf.as_ref().map(|shelf| &shelf.home)
    }

    /// How large all that is kept may get.
    pub fn set_bound(&self, bytes: u64) {
        self.bound.store(bytes, Ordering::Relaxed);
    }

    /// A change begins: what is recorded from now on belongs to it.
    pub fn begin(&self, by: &str, from: Option<&str>) -> u64 {
        let number = self.journal.begin();
        *self.change() = Change { number, by: by.to_owned(), from: from.map(ToOwned::to_owned), preface: Vec::new() };
        number
    }

    /// The number of the change that is under way.
    #[must_use]
    pub fn change_number(&self) -> u64 {
        self.change().number
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

    fn change(&self) -> MutexGuard<'_, Change> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
