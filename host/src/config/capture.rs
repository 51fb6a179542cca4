//! `capture` of a policy: what is kept of an exchange in which its filter faults.

use std::path::{Component, Path, PathBuf};

use super::{
    report::Wrong,
    section::{Item, Section},
};

/// The most of a body that is kept, in bytes: a file of cases is read up to 1 MiB.
const MOST_OF_BODIES: u64 = 64 << 10;

/// Where faulting exchanges are written to, and what is hidden in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// `directory`: made if it is not there.
    pub directory: PathBuf,
    /// `max`: how many files of the policy there are at most.
    pub max: usize,
    /// `bodies`: how much of each body is kept, in bytes. The rest is there by its length only.
    pub bodies: usize,
    /// `query`: the parameters whose values are kept.
    pub query: Vec<String>,
    /// `redact`: fields, attributes and keys of the configuration whose values are hidden besides those that always are.
    pub redact: Vec<String>,
}

/// Reads the table; none if it says that nothing is captured.
pub(super) fn read(mut section: Section<'_>) -> Option<Capture> {
    let report = section.report();
    let folder = report.file().parent().unwrap_or(Path::new("")).to_owned();
    let on_fault = section.take("on-fault").and_then(Item::boolean).is_none_or(|at| at.value);
    let directory = section.need("directory", "add directory = \"captures\", relative to this file");
    let directory = directory.and_then(Item::string);
    let max = section.take("max").and_then(|item| item.count(1, 1_000)).unwrap_or(20);
    let bodies = section.take("bodies").and_then(|item| item.size(0, MOST_OF_BODIES)).unwrap_or(0);
    let query = names(&mut section, "query");
    let redact = names(&mut section, "redact").into_iter().map(|name| name.to_ascii_lowercase()).collect();
    section.finish();
    let directory = directory.and_then(|at| report.good(&at, own_folder(&at.value, &folder)))?;
    let bodies = usize::try_from(bodies).unwrap_or(usize::MAX);
    on_fault.then_some(Capture { directory, max, bodies, query, redact })
}

/// Captures end in `.toml` as policies do, and would be taken for some beside them.
fn own_folder(written: &str, folder: &Path) -> Result<PathBuf, Wrong> {
    let is_own = Path::new(written).components().any(|part| !matches!(part, Component::CurDir));
    let wrong = || ("is the folder of this file".to_owned(), "name one of its own, as \"../captures\"".to_owned());
    if is_own { Ok(folder.join(written)) } else { Err(wrong()) }
}

fn names(section: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let names = section.take(key).and_then(Item::array).into_iter().flatten().filter_map(Item::string);
    names.map(|at| at.value).collect()
}
