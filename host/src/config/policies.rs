//! All policies together: those of the policies directory, and the tables `[policies.NAME]` of the config file.

use std::path::{Path, PathBuf};

use super::{
    Catalogue, Files, FilterSource, Place, PolicyEntry,
    catalogue::Folder,
    filters::{self, Filters},
    names::{self, Meaning},
    policy_dir::{Found, PolicyDir},
    policy_file::PolicyTable,
    report::{At, Report, Wrong},
    script,
    section::join,
};
use crate::oci::Reference;

/// All policies, with the names that routes may use.
#[derive(Debug)]
pub(super) struct Policies {
    inline: Vec<Inline>,
    /// Nothing if the directory could not be listed.
    dir: Option<Found>,
}

/// A policy of the config file, also if its filter is unknown: a route that names it is right all the same.
#[derive(Debug)]
struct Inline {
    name: At<String>,
    filter: Option<FilterSource>,
    table: PolicyTable,
}

impl Policies {
    /// Reads the directory, if there is one, and looks up the filters of the tables.
    pub(super) fn gather(
        files: &Files,
        dir: Option<&At<PathBuf>>,
        tables: Vec<(At<String>, PolicyTable)>,
        bundled: &[&str],
        catalogue: Option<&Catalogue>,
        report: &Report,
    ) -> Self {
        let shared = catalogue.map(Catalogue::modules).unwrap_or_default();
        let dir = match dir {
            Some(at) => report.good(at, PolicyDir::list(files, &at.value)),
            None => Some(PolicyDir::default()),
        };
        let is_complete = dir.is_some();
        let modules = dir.as_ref().map(PolicyDir::modules).unwrap_or_default();
        let filters = Filters::new(modules, bundled).with(&shared);
        let inline = |(name, table)| Inline::new(files, name, table, &filters, is_complete, report);
        let inline: Vec<Inline> = tables.into_iter().map(inline).collect();
        let of_catalogue = catalogue.into_iter().flat_map(Catalogue::used);
        let used: Vec<(&FilterSource, &str)> = inline.iter().filter_map(Inline::used).chain(of_catalogue).collect();
        let mut dir = dir.map(|dir| dir.read(files, &filters, &used));
        for folder in catalogue.map(|catalogue| Folder::all(catalogue, files, report)).into_iter().flatten() {
            let Some(dir) = &mut dir else { break };
            let is_taken = |name: &str| {
                let other = dir.entries.iter().find(|entry| entry.name == name).map(|entry| entry.origin.clone());
                let inline = || inline.iter().any(|policy| policy.name.value == name).then(|| report.file().to_owned());
                other.or_else(inline)
            };
            let found = folder.read(files, &shared, bundled, &used, is_taken);
            dir.join(found);
        }
        let policies = Self { inline, dir };
        policies.check_apart(report);
        policies
    }

    /// The full name of the policy that a route names.
    pub(super) fn find(&self, name: &str) -> Result<String, Wrong> {
        let inline = self.inline.iter().map(|policy| policy.name.value.as_str());
        if inline.clone().any(|other| other == name) {
            return Ok(name.to_owned());
        }
        let dir = self.entries().iter().map(|entry| entry.name.as_str());
        match names::find(name, dir.clone()) {
            Meaning::One(name) => Ok(name.to_owned()),
            Meaning::Several(several) => Err((
                format!("{name:?} may be any of {}", names::list(several.into_iter())),
                "write the name with its order number".to_owned(),
            )),
            Meaning::Nothing => Err(self.library(name).unwrap_or_else(|| {
                (format!("there is no policy {name:?}"), names::suggest(name, "policies", inline.chain(dir)))
            })),
        }
    }

    /// Whether these are all policies: not if the directory could not be listed. Its names are not unknown then.
    pub(super) fn is_complete(&self) -> bool {
        self.dir.is_some()
    }

    /// The files of the directory, and the modules that the config file names.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = self.dir.as_ref().map(|dir| dir.files.clone()).unwrap_or_default();
        for path in self.inline.iter().filter_map(|policy| policy.filter.as_ref()?.path()) {
            if !files.iter().any(|file| file == path) {
                files.push(path.to_owned());
            }
        }
        let inline = self.inline.iter().filter_map(|policy| policy.filter.as_ref());
        let dir = self.entries().iter().filter_map(|entry| Some(&entry.policy.as_ref().ok()?.filter));
        files.extend(inline.chain(dir).filter_map(bundle_file));
        files
    }

    /// The policies of the directory, then those of the config file.
    pub(super) fn into_entries(self, file: &Path) -> Vec<PolicyEntry> {
        let dir = self.dir.map(|dir| dir.entries).unwrap_or_default();
        let inline = self.inline.into_iter().filter_map(|policy| policy.into_entry(file));
        dir.into_iter().chain(inline).collect()
    }

    /// A name may be in the config file or in the directory, not in both.
    fn check_apart(&self, report: &Report) {
        for Inline { name, .. } in &self.inline {
            if let Some(entry) = self.entries().iter().find(|entry| entry.name == name.value) {
                let message = format!("there is also a policy {:?} in {}", name.value, entry.origin.display());
                report.at(name, message, "remove or rename one of the two");
            }
        }
    }

    /// What is wrong with naming a module that is only a library.
    fn library(&self, name: &str) -> Option<Wrong> {
        let user = self.dir.as_ref()?.libraries.get(name)?;
        let message = format!("{name:?} is no policy, only the module of the policy {user:?}");
        Some((message, format!("add {name}.toml to make it a policy of its own")))
    }

    fn entries(&self) -> &[PolicyEntry] {
        self.dir.as_ref().map_or(&[], |dir| &dir.entries)
    }
}

/// What changes when a bundle does: its index, or the file that it is.
fn bundle_file(filter: &FilterSource) -> Option<PathBuf> {
    let path = filter.reference()?.path()?;
    Some(if path.is_dir() { path.join("index.json") } else { path.to_owned() })
}

impl Inline {
    fn new(
        files: &Files,
        name: At<String>,
        table: PolicyTable,
        filters: &Filters<'_>,
        is_complete: bool,
        report: &Report,
    ) -> Self {
        let filter = match &table.filter {
            Some(written) if Reference::is_meant(&written.value) => {
                let folder = report.file().parent().unwrap_or(Path::new(""));
                report.good(written, filters::pulled(&written.value, folder))
            }
            Some(written) if script::is_code(Path::new(&written.value)) => {
                let folder = report.file().parent().unwrap_or(Path::new(""));
                report.good(written, filters::at_path(files, &written.value, folder))
            }
            Some(written) if is_complete => report.good(written, filters.named(&written.value)),
            // Written, but not as a string.
            None if report.has(&join(&name.key, "filter")) => None,
            None if is_complete => report.good(&name, filters.default_of(&name.value)),
            _ => None,
        };
        table.check_every(filter.as_ref(), report);
        Self { name, filter, table }
    }

    fn used(&self) -> Option<(&FilterSource, &str)> {
        Some((self.filter.as_ref()?, self.name.value.as_str()))
    }

    fn into_entry(self, file: &Path) -> Option<PolicyEntry> {
        let At { value: name, key, line } = self.name;
        let place = Place { file: file.to_owned(), line: Some(line), key: Some(key) };
        let policy = self.table.build(name.clone(), self.filter?, place);
        Some(PolicyEntry { name, origin: file.to_owned(), from_dir: false, policy: Ok(policy) })
    }
}
