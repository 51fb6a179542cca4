//! The history: a line of JSON for each stage of each change, appended to a file that is bounded, and the newest in memory.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::record::Record;

const FILE: &str = "history.jsonl";
/// The one before it.
const OLDER: &str = "history.1.jsonl";

/// How large the file gets before it takes the place of the older one.
const MAX_BYTES: u64 = 1 << 20;

/// How many records are kept in memory.
const IN_MEMORY: usize = 1_000;

/// What is read of the file at the start, for the memory: enough for most of it.
const TAIL: u64 = 256 << 10;

/// The longest reason that is kept.
const MAX_REASON: usize = 2_000;

/// The history of a gateway.
#[derive(Debug, Default)]
pub struct Journal(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    newest: VecDeque<Record>,
    change: u64,
    file: Option<Lines>,
}

#[derive(Debug)]
struct Lines {
    folder: PathBuf,
    file: File,
    length: u64,
}

impl Journal {
    /// The history below that folder, as far as there is one.
    ///
    /// # Errors
    /// If the file cannot be written to.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let newest: VecDeque<Record> = read_tail(folder).into();
        let change = newest.iter().map(|record| record.change).max().unwrap_or(0);
        let file = Some(Lines::open(folder)?);
        Ok(Self(Mutex::new(State { newest, change, file })))
    }

    /// All that is kept of the history below a folder, the oldest first. Lines that cannot be read, such as one that was
    /// being written when the machine stopped, are left out.
    #[must_use]
    pub fn read(folder: &Path) -> Vec<Record> {
        let read = |name| std::fs::read(folder.join(name)).unwrap_or_default();
        [OLDER, FILE].into_iter().flat_map(|name| records(&read(name))).collect()
    }

    /// The number of a change that begins.
    #[must_use]
    pub fn begin(&self) -> u64 {
        let mut state = self.state();
        // Where a damaged file says the highest number, it is not passed.
        state.change = state.change.saturating_add(1);
        state.change
    }

    /// Writes a record down, and into the log.
    pub fn record(&self, mut record: Record) {
        if let Some(reason) = record.reason.as_mut().filter(|reason| reason.len() > MAX_REASON) {
            let end = (0..=MAX_REASON).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
            reason.truncate(end);
        }
        record.log();
        let mut state = self.state();
        if let Some(lines) = &mut state.file
            && let Err(error) = lines.append(&record)
        {
            tracing::error!(%error, "the history cannot be written; it is in memory and in the log");
        }
        if state.newest.len() == IN_MEMORY {
            state.newest.pop_front();
        }
        state.newest.push_back(record);
    }

    /// The newest records, the oldest of them first.
    #[must_use]
    pub fn newest(&self) -> Vec<Record> {
        self.state().newest.iter().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn open(folder: &Path) -> io::Result<Self> {
        let options = || {
            let mut options = OpenOptions::new();
            options.create(true).append(true).read(true).mode(0o600);
            options
        };
        let mut file = options().open(folder.join(FILE))?;
        let mut length = file.metadata()?.len();
        // A line that was cut short stays by itself.
        let mut last = [b'\n'];
        if length > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n")?;
            length += 1;
        }
        Ok(Self { folder: folder.to_owned(), file, length })
    }

    /// In one write, so that lines of two processes, while one takes over from the other, do not mix.
    fn append(&mut self, record: &Record) -> io::Result<()> {
        if self.length >= MAX_BYTES {
            std::fs::rename(self.folder.join(FILE), self.folder.join(OLDER))?;
            *self = Self::open(&self.folder)?;
        }
        let mut line = serde_json::to_vec(record).map_err(io::Error::other)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.length += line.len() as u64;
        Ok(())
    }
}

fn read_tail(folder: &Path) -> Vec<Record> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(folder.join(FILE))?;
        let start = file.metadata()?.len().saturating_sub(TAIL);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let mut found = records(&read().unwrap_or_default());
    if found.is_empty() {
        // Just rotated.
        found = records(&std::fs::read(folder.join(OLDER)).unwrap_or_default());
    }
    found.split_off(found.len().saturating_sub(IN_MEMORY))
}

fn records(bytes: &[u8]) -> Vec<Record> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::record::Stage;
    use super::super::tests::Scratch;
    use super::*;

    #[test]
    fn what_was_recorded_is_there_after_a_crash_in_the_middle_of_a_line() {
        let scratch = Scratch::new("journal");
        let journal = Journal::open(scratch.path()).unwrap();
        let change = journal.begin();
        journal.record(Record::new(change, Stage::Promote).of("10-key", None, None));
        let mut file = OpenOptions::new().append(true).open(scratch.path().join(FILE)).unwrap();
        file.write_all(b"{\"at\":17,\"cha").unwrap();
        let journal = Journal::open(scratch.path()).unwrap();
        assert_eq!(journal.newest().len(), 1);
        let next = journal.begin();
        assert_eq!(next, change + 1, "changes are counted on");
        journal.record(Record::new(next, Stage::Reject).failed("no"));
        let read = Journal::read(scratch.path());
        assert_eq!(read.iter().map(|record| record.change).collect::<Vec<_>>(), [change, next]);
        assert_eq!(read, journal.newest());
    }

    #[test]
    fn the_file_is_bounded_and_so_is_the_memory() {
        let scratch = Scratch::new("journal-bound");
        let journal = Journal::open(scratch.path()).unwrap();
        let reason = "x".repeat(MAX_REASON * 2);
        for _ in 0..2_000 {
            journal.record(Record::new(journal.begin(), Stage::Configure).failed(reason.clone()));
        }
        assert_eq!(journal.newest().len(), IN_MEMORY);
        let bytes: u64 = [FILE, OLDER].map(|name| scratch.path().join(name).metadata().unwrap().len()).iter().sum();
        assert!(bytes < 2 * MAX_BYTES + 10_000, "{bytes}");
        let last = Journal::open(scratch.path()).unwrap();
        assert_eq!(last.begin(), 2_001);
    }
}
