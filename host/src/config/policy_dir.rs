//! The policies directory: `NAME.wasm` or a script such as `NAME.js`, `NAME.toml`, or both are the policy NAME.
//!
//! What is wrong with one policy stays with that policy; the others of the directory do not suffer. A module without
//! a TOML of its own that another policy names as its `filter` is a library, not a policy.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
};

use super::{
    Files as Disk, FilterSource, Place, Policy, PolicyEntry, Problem,
    document::Document,
    filters::{self, Filters},
    policy_file::PolicyTable,
    report::{Report, Wrong},
    script,
};
use crate::oci::Reference;

/// A directory as it was found.
#[derive(Debug, Default)]
pub(super) struct PolicyDir {
    /// By file stem; the order of the bytes is the order of the policies.
    stems: BTreeMap<OsString, Files>,
    /// If it is a team's: its files of routes, in the order of their names.
    routes: Vec<PathBuf>,
    /// If it is a team's: links that lead out of it.
    foreign: Vec<PathBuf>,
}

/// The files of one stem.
#[derive(Debug, Default)]
struct Files {
    module: Option<PathBuf>,
    /// Code of another kind under the same name.
    rival: Option<PathBuf>,
    written: Option<PathBuf>,
}

/// What the directory's policies came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The policies in the order of their names.
    pub(super) entries: Vec<PolicyEntry>,
    /// The modules that are code of other policies only: their names, and the policy that names them.
    pub(super) libraries: BTreeMap<String, String>,
    /// The files that were read, and the modules.
    pub(super) files: Vec<PathBuf>,
}

impl Found {
    /// With those of another directory.
    pub(super) fn join(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.libraries.extend(other.libraries);
        self.files.extend(other.files);
    }
}

impl PolicyDir {
    /// Lists a directory. Fails with a message and a remedy.
    pub(super) fn list(disk: &Disk, dir: &Path) -> Result<Self, Wrong> {
        let mut found = Self::default();
        for path in disk.list(dir).map_err(|error| unreadable(dir, &error))? {
            found.add(disk, &path);
        }
        Ok(found)
    }

    /// Lists the directory of a team, which may have files of routes, too.
    pub(super) fn list_teams(disk: &Disk, dir: &Path) -> io::Result<Self> {
        let mut all = disk.list(dir)?;
        all.sort();
        let (own, foreign): (Vec<_>, Vec<_>) = all.into_iter().partition(|path| disk.is_inside(path, dir));
        let is_routes = |path: &PathBuf| is_routes(path) && disk.is_file_or_broken(path);
        let (routes, others): (Vec<_>, Vec<_>) = own.into_iter().partition(is_routes);
        let mut found = Self { routes, foreign, ..Self::default() };
        others.iter().for_each(|path| found.add(disk, path));
        Ok(found)
    }

    /// Links that lead out of it.
    pub(super) fn foreign(&self) -> &[PathBuf] {
        &self.foreign
    }

    /// Its files of routes.
    pub(super) fn routes(&self) -> &[PathBuf] {
        &self.routes
    }

    /// The modules by name. One whose name is not UTF-8 cannot be named.
    pub(super) fn modules(&self) -> BTreeMap<String, PathBuf> {
        let named = |(stem, files): (&OsString, &Files)| Some((stem.to_str()?.to_owned(), files.module.clone()?));
        self.stems.iter().filter_map(named).collect()
    }

    /// Reads all policies. `used` are the filters of policies elsewhere, each with the policy's name.
    pub(super) fn read(&self, disk: &Disk, filters: &Filters<'_>, used: &[(&FilterSource, &str)]) -> Found {
        let found: Vec<Candidate> =
            self.stems.iter().filter_map(|(stem, files)| files.read(disk, stem, filters)).collect();
        let elsewhere =
            used.iter().filter_map(|(filter, policy)| Some((filter.path()?.to_owned(), (*policy).to_owned())));
        let here = found.iter().filter_map(|candidate| Some((candidate.uses.clone()?, candidate.entry.name.clone())));
        let users: BTreeMap<PathBuf, String> = elsewhere.chain(here).collect();
        let mut policies = Found { files: self.files(), ..Found::default() };
        for Candidate { entry, bare, .. } in found {
            match users.get(&entry.origin).filter(|_| bare) {
                Some(user) => drop(policies.libraries.insert(entry.name, user.clone())),
                None => policies.entries.push(entry),
            }
        }
        policies
    }

    fn files(&self) -> Vec<PathBuf> {
        self.stems
            .values()
            .flat_map(|files| files.written.iter().chain(&files.module).chain(&files.rival))
            .cloned()
            .collect()
    }

    /// Takes a file into account, unless it is no policy: something hidden, an editor's temporary, a sub-folder.
    fn add(&mut self, disk: &Disk, path: &Path) {
        let (Some(stem), Some(extension)) = (path.file_stem(), path.extension()) else { return };
        // A link that leads nowhere counts: its policy has a problem.
        // Cases of a module are no policy.
        let is_cases = extension == "toml" && Path::new(stem).extension().is_some_and(|inner| inner == "cases");
        if is_cases || stem.as_encoded_bytes().starts_with(b".") || !disk.is_file_or_broken(path) {
            return;
        }
        if script::is_code(path) {
            disk.note_module(path);
            self.stems.entry(stem.to_owned()).or_default().add_code(path.to_owned());
        } else if extension == "toml" {
            self.stems.entry(stem.to_owned()).or_default().written = Some(path.to_owned());
        }
    }
}

impl Files {
    fn add_code(&mut self, path: PathBuf) {
        self.rival = self.module.replace(path);
    }

    fn read(&self, disk: &Disk, stem: &OsStr, filters: &Filters<'_>) -> Option<Candidate> {
        let origin = self.written.as_ref().or(self.module.as_ref())?.clone();
        Some(match stem.to_str() {
            None => Candidate::nameless(stem, origin),
            Some(name) if self.rival.is_some() => Candidate::ambiguous(name, origin, self),
            Some(name) if self.written.is_some() => Candidate::written(disk, name, origin, filters),
            Some(name) => Candidate::bare(name, origin),
        })
    }
}

/// A stem of the directory: a policy, or a library if it is bare and another policy uses it.
#[derive(Debug)]
struct Candidate {
    entry: PolicyEntry,
    /// The module that it runs, or that it would run if it were not broken.
    uses: Option<PathBuf>,
    /// Whether it is a module without a TOML.
    bare: bool,
}

impl Candidate {
    fn bare(name: &str, module: PathBuf) -> Self {
        let filter = FilterSource::Module { name: name.to_owned(), path: module.clone() };
        let place = Place { file: module.clone(), line: None, key: None };
        let policy = PolicyTable::default().build(name.to_owned(), filter, place);
        Self { entry: entry(name.to_owned(), module, Ok(policy)), uses: None, bare: true }
    }

    fn written(disk: &Disk, name: &str, file: PathBuf, filters: &Filters<'_>) -> Self {
        let document = Document::read(disk, &file, "write it again, or remove the link");
        let table = document.parse().map(PolicyTable::read);
        let filter = match &table {
            Some(table) => find_filter(name, table, filters, &document.report),
            None => salvage_filter(name, document.text(), filters),
        };
        if let Some(table) = &table {
            table.check_every(filter.as_ref(), &document.report);
        }
        let uses = filter.as_ref().and_then(FilterSource::path).map(Path::to_owned);
        let problems = document.report.into_problems();
        let policy = match (table, filter) {
            (Some(table), Some(filter)) if problems.is_empty() => {
                let place = Place { file: file.clone(), line: Some(1), key: Some("config".to_owned()) };
                Ok(table.build(name.to_owned(), filter, place))
            }
            _ => Err(problems),
        };
        Self { entry: entry(name.to_owned(), file, policy), uses, bare: false }
    }

    /// Which of the two is meant nobody can know.
    fn ambiguous(name: &str, origin: PathBuf, files: &Files) -> Self {
        let mut code: Vec<_> =
            [&files.module, &files.rival].into_iter().flatten().filter_map(|it| it.file_name()).collect();
        code.sort_unstable();
        let code: Vec<_> = code.into_iter().map(OsStr::to_string_lossy).collect();
        let report = Report::new(&origin);
        report.whole(
            format!("the policy has more than one code: {}", code.join(" and ")),
            "remove or rename one of them",
        );
        Self { entry: entry(name.to_owned(), origin, Err(report.into_problems())), uses: None, bare: false }
    }

    fn nameless(stem: &OsStr, origin: PathBuf) -> Self {
        let report = Report::new(&origin);
        report.whole("the file name is not valid UTF-8", "rename the file");
        Self { entry: entry(escape(stem), origin, Err(report.into_problems())), uses: None, bare: false }
    }
}

/// Whether it is called as a team's file of routes is.
pub(super) fn is_routes(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.ends_with(".routes.toml") && !name.starts_with('.')
}

fn entry(name: String, origin: PathBuf, policy: Result<Policy, Vec<Problem>>) -> PolicyEntry {
    PolicyEntry { name, origin, from_dir: true, policy }
}

fn find_filter(name: &str, table: &PolicyTable, filters: &Filters<'_>, report: &Report) -> Option<FilterSource> {
    match &table.filter {
        Some(written) if Reference::is_meant(&written.value) => {
            let folder = report.file().parent().unwrap_or(Path::new(""));
            report.good(written, filters::pulled(&written.value, folder))
        }
        Some(written) => report.good(written, filters.named(&written.value)),
        // Written, but not as a string.
        None if report.has("filter") => None,
        None => filters.default_of(name).map_err(|(message, remedy)| report.absent("filter", message, remedy)).ok(),
    }
}

/// The filter of a policy with a syntax error, so that its module does not turn into a policy for the time being.
fn salvage_filter(name: &str, text: &str, filters: &Filters<'_>) -> Option<FilterSource> {
    let after_key =
        |line: &str| Some(line.trim().strip_prefix("filter")?.trim_start().strip_prefix('=')?.trim().to_owned());
    let Some(value) = text.lines().find_map(after_key) else {
        return filters.default_of(name).ok();
    };
    let is_end = |c: char| matches!(c, '"' | '\'' | '#') || c.is_whitespace();
    value.split(is_end).find(|part| !part.is_empty()).and_then(|written| filters.named(written).ok())
}

fn unreadable(dir: &Path, error: &io::Error) -> Wrong {
    let dir = dir.display().to_string();
    match error.kind() {
        io::ErrorKind::NotFound => {
            (format!("there is no directory {dir:?}"), format!("create it with mkdir -p {dir:?}, or name another"))
        }
        io::ErrorKind::NotADirectory => {
            (format!("{dir:?} is not a directory"), "name the folder that holds the policy files".to_owned())
        }
        _ => (
            format!("{dir:?} cannot be read: {}", error.to_string().to_lowercase()),
            "check its permissions".to_owned(),
        ),
    }
}

/// A name with the bytes that are not UTF-8 as `\xFF`.
fn escape(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}
