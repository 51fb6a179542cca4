//! `tollgate filter conformance`: the same filters in any language, held to the same cases. For authors of SDKs.

use std::path::{Path, PathBuf};

use clap::Args;

use super::filter_new::files_in;
use super::say;
use crate::filter_test::{Format, Tests};

/// Where suites lie among the files of SDKs.
const SUITES: &str = "guest-sdk/conformance/";
/// How their names end.
const ENDING: &str = ".cases.toml";

// No doc comment: clap would take it for the command's description.
#[derive(Args)]
pub(super) struct Conformance {
    /// Modules that are named as the suite that they are held to, such as api-key.wasm. Without any, the suites are listed.
    #[arg(value_name = "FILE")]
    modules: Vec<PathBuf>,
    /// The suite, whatever the modules are named.
    #[arg(long, value_name = "NAME")]
    suite: Option<String>,
    /// Write the suites into this folder, to be read.
    #[arg(long, value_name = "DIR", conflicts_with = "modules")]
    write: Option<PathBuf>,
    /// How the results look.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Where compiled modules are kept [default: $STATE_DIRECTORY, $XDG_STATE_HOME/tollgate or ~/.local/state/tollgate].
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Conformance {
    pub(super) fn run(self) -> Result<(), String> {
        if let Some(folder) = &self.write {
            return write(folder);
        }
        if self.modules.is_empty() {
            suites().for_each(|(name, text)| say(&format!("{name:14} {}", purpose(text))));
            return Ok(());
        }
        let mut failed = Vec::new();
        for module in &self.modules {
            let mut tests = Tests::of(module).suite(self.suite_of(module)?);
            if let Some(folder) = &self.state_dir {
                tests = tests.state_dir(folder);
            }
            let report = tests.run();
            say(&report.render(self.format));
            if !report.is_good() {
                failed.push(module.display().to_string());
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(format!("does not conform: {}", failed.join(", "))) }
    }

    fn suite_of(&self, module: &Path) -> Result<&'static str, String> {
        let stem = module.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wanted = self.suite.as_ref().unwrap_or(&stem);
        suites().find(|(name, _)| name == wanted).map(|(_, text)| text).ok_or_else(|| {
            let known: Vec<_> = suites().map(|(name, _)| name).collect();
            format!(
                "{}: there is no suite {wanted:?}; name the module after one, or give --suite one of {}",
                module.display(),
                known.join(", ")
            )
        })
    }
}

fn suites() -> impl Iterator<Item = (&'static str, &'static str)> {
    files_in(SUITES).filter_map(|(name, text)| Some((name.strip_suffix(ENDING)?, std::str::from_utf8(text).ok()?)))
}

/// What a suite says about itself in its first line.
fn purpose(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
}

fn write(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (name, text) in files_in(SUITES) {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        say(&path.display().to_string());
    }
    Ok(())
}
