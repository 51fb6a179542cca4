//! `tollgate filter test` and `tollgate filter replay`

use std::path::PathBuf;

use clap::Args;

use super::say;
use crate::filter_test::{Format, Tests, replay};

// No doc comment: clap would take it for the command's description.
#[derive(Args)]
pub(super) struct FilterTest {
    /// Files of cases, modules that carry some, or folders to look for cases.toml and NAME.cases.toml in.
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Only cases whose name has this in it.
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// How the results look.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    engine: Engine,
}

#[derive(Args)]
pub(super) struct Replay {
    /// What the gateway has captured, or any other file of cases.
    file: PathBuf,
    #[command(flatten)]
    engine: Engine,
}

/// What both run on.
#[derive(Args)]
struct Engine {
    /// A module to run in the place of the filter that the file names.
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// Where compiled modules are kept [default: $STATE_DIRECTORY, $XDG_STATE_HOME/tollgate or ~/.local/state/tollgate].
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl FilterTest {
    pub(super) fn run(self) -> Result<(), String> {
        let Some((first, others)) = self.paths.split_first() else { return Ok(()) };
        let mut tests = others.iter().fold(Tests::of(first), Tests::and);
        if let Some(module) = &self.engine.module {
            tests = tests.module(module);
        }
        if let Some(folder) = &self.engine.state_dir {
            tests = tests.state_dir(folder);
        }
        if let Some(part) = self.filter {
            tests = tests.only(part);
        }
        let report = tests.run();
        say(&report.render(self.format));
        if report.is_good() { Ok(()) } else { Err(summary(report.cases.len(), report.failed(), report.problems.len())) }
    }
}

fn summary(cases: usize, failed: usize, problems: usize) -> String {
    match (cases, problems) {
        (0, 0) => "no case was run; check --filter".to_owned(),
        (_, 0) => format!("{failed} of {cases} cases failed"),
        _ => format!("{failed} of {cases} cases failed, and there are {problems} problems with the files"),
    }
}

impl Replay {
    pub(super) fn run(self) -> Result<(), String> {
        let Engine { module, state_dir } = self.engine;
        say(&replay(&self.file, module.as_deref(), state_dir.as_deref())?);
        Ok(())
    }
}
