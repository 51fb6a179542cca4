//! Tests of filters: cases from a file, on the sandbox and the chain that serve, without a socket between.
//!
//! `tollgate filter test` runs them, and so can the tests of a filter's own project:
//!
//! ```no_run
//! tollgate::filter_test::Tests::of("cases.toml").module("target/filter.wasm").run().assert_passed();
//! ```
//!
//! What a file of cases says is in `docs/testing-filters.md`.

/// The Rust of that page is compiled with this documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing-filters.md")]
mod page {}

mod bench;
mod body;
mod compare;
mod exchange;
mod find;
mod judge;
mod log;
mod recorder;
mod render;
mod report;
mod self_test;
mod state;
mod trace;
mod upstreams;
mod world;

use std::path::{Path, PathBuf};

pub use self::report::{CaseReport, Failure, Format, Report};
pub use self::self_test::SelfTests;
pub use self::trace::replay;

use self::bench::Bench;
use crate::bundled;
use crate::config::cases::CaseFile;
use crate::config::{Language, Problem};
use crate::manifest::Carried;

/// Which cases to run, and on what.
#[derive(Clone, Debug)]
pub struct Tests {
    paths: Vec<PathBuf>,
    module: Option<PathBuf>,
    only: Option<String>,
    suite: Option<String>,
    state_dir: Option<PathBuf>,
}

impl Tests {
    /// The cases of a file, those that a module `NAME.wasm` carries, or those of all files in a folder and below that are named
    /// `cases.toml` or `NAME.cases.toml`.
    #[must_use]
    pub fn of(path: impl AsRef<Path>) -> Self {
        Self { paths: vec![path.as_ref().to_owned()], module: None, only: None, suite: None, state_dir: None }
    }

    /// And those of another file or folder.
    #[must_use]
    pub fn and(mut self, path: impl AsRef<Path>) -> Self {
        self.paths.push(path.as_ref().to_owned());
        self
    }

    /// Runs this module instead of the filter that the file names.
    #[must_use]
    pub fn module(mut self, module: impl AsRef<Path>) -> Self {
        self.module = Some(module.as_ref().to_owned());
        self
    }

    /// Holds modules to these cases, the text of a file, whatever cases they carry.
    #[must_use]
    pub fn suite(mut self, text: impl Into<String>) -> Self {
        self.suite = Some(text.into());
        self
    }

    /// Runs only the cases whose name has this in it.
    #[must_use]
    pub fn only(mut self, part: impl Into<String>) -> Self {
        self.only = Some(part.into());
        self
    }

    /// Keeps compiled modules below this folder.
    #[must_use]
    pub fn state_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.state_dir = Some(folder.as_ref().to_owned());
        self
    }

    /// Runs them all, to the last one, whatever fails.
    #[must_use]
    pub fn run(&self) -> Report {
        let mut report = Report::default();
        let mut bench = match Bench::new(self.state_dir.as_deref()) {
            Ok(bench) => bench,
            Err(error) => return Report::broken(error),
        };
        for path in &self.paths {
            match find::files(path) {
                Ok(files) => files.iter().for_each(|file| self.run_file(file, &mut bench, &mut report)),
                Err(error) => report.problems.push(error),
            }
        }
        report
    }

    fn run_file(&self, file: &Path, bench: &mut Bench, report: &mut Report) {
        let cases = match self.load(file) {
            Ok(cases) => cases.cases,
            Err(problems) => {
                report.problems.extend(problems.iter().map(ToString::to_string));
                return;
            }
        };
        let wanted = cases.iter().filter(|case| self.only.as_ref().is_none_or(|only| case.name.contains(only)));
        report.cases.extend(wanted.map(|case| judge::run(file, case, bench)));
    }

    /// Cases of a file, or those that a module carries.
    fn load(&self, file: &Path) -> Result<CaseFile, Vec<Problem>> {
        let module = self.module.as_deref();
        if let Some(suite) = &self.suite {
            return CaseFile::carried(file, suite, None);
        }
        if Language::of(file).is_some() {
            return CaseFile::load(&file.with_extension("cases.toml"), &bundled::names(), Some(module.unwrap_or(file)));
        }
        if file.extension().is_none_or(|extension| extension != "wasm") {
            return CaseFile::load(file, &bundled::names(), module);
        }
        let wrong = |message: String, remedy: &str| {
            vec![Problem { file: file.to_owned(), line: None, key: None, message, remedy: remedy.to_owned() }]
        };
        let unreadable = |error| wrong(format!("cannot be read: {error}"), "check the path of the module");
        let content = std::fs::read(file).map_err(unreadable)?;
        let carried = Carried::read(&content).map_err(|error| wrong(error.to_string(), ""))?;
        let none =
            || wrong("carries no cases".to_owned(), "name a file of cases, or build it with #[filter(cases = \"…\")]");
        CaseFile::carried(file, &carried.cases.ok_or_else(none)?, module)
    }
}
