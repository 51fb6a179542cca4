//! What became of cases.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::recorder::Hook;
use crate::config::cases::Case;

/// How a report looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// As JUnit writes it, for what shows the results of builds.
    Junit,
}

/// What became of all cases.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Each case that was run.
    pub cases: Vec<CaseReport>,
    /// What is wrong with the files, so that their cases could not be run.
    pub problems: Vec<String>,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// The file.
    pub file: PathBuf,
    /// The line that the case begins in.
    pub line: usize,
    /// The name.
    pub name: String,
    /// What was not as expected.
    pub failures: Vec<Failure>,
    /// How many hooks were called.
    pub hooks: usize,
    /// The CPU time of the hook that took longest.
    pub cpu: Duration,
    /// The most memory that an instance had, in bytes.
    pub memory: u64,
}

/// Something that was not as expected.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// The key that says what was expected.
    pub key: String,
    /// Its line.
    pub line: usize,
    /// What was expected.
    pub expected: String,
    /// What came instead.
    pub got: String,
    /// How the bodies were cut, if they were.
    pub note: Option<String>,
    /// Whether it is about time, which may be better the next time.
    pub(super) is_slow: bool,
}

impl Report {
    pub(super) fn broken(problem: String) -> Self {
        Self { problems: vec![problem], ..Self::default() }
    }

    /// Whether there were cases, and all of them passed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.problems.is_empty() && !self.cases.is_empty() && self.cases.iter().all(|case| case.failures.is_empty())
    }

    /// How many cases have failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.failures.is_empty()).count()
    }

    /// Panics with the report if it is not good.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.is_good(), "\n{}", self.render(Format::Text));
    }
}

impl CaseReport {
    pub(super) fn new(file: &Path, case: &Case) -> Self {
        let (file, name) = (file.to_owned(), case.name.clone());
        Self { file, line: case.line, name, failures: Vec::new(), hooks: 0, cpu: Duration::ZERO, memory: 0 }
    }

    pub(super) fn note(&mut self, hooks: &[Hook]) {
        self.hooks += hooks.len();
        for hook in hooks {
            self.cpu = self.cpu.max(hook.cpu);
            self.memory = self.memory.max(hook.memory);
        }
    }
}

impl Failure {
    pub(super) fn new(key: &str, line: usize, expected: &str, got: &str) -> Self {
        Self { key: key.to_owned(), line, expected: expected.to_owned(), got: got.to_owned(), ..Self::default() }
    }
}
