//! The policies directory: `NAME.wasm`, `NAME.toml`, or both are the policy NAME.
//!
//! What is wrong with one policy stays with that policy; the others of the directory do not suffer. A module without
//! a TOML of its own that another policy names as its `filter` is a library, not a policy.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    FilterSource, Place, PolicyEntry, Problem,
    document::Document,
    filters::{Filters, Unknown},
    policy_file::PolicyTable,
    report::Report,
};

/// A directory as it was found.
#[derive(Debug, Default)]
pub(super) struct PolicyDir {
    /// By file stem; the order of the bytes is the order of the policies.
    stems: BTreeMap<OsString, Files>,
}

/// The files of one stem.
#[derive(Debug, Default)]
struct Files {
    module: Option<PathBuf>,
    written: Option<PathBuf>,
}

/// What the directory's policies came to.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// The policies in the order of their names.
    pub(super) entries: Vec<PolicyEntry>,
    /// The modules that are code of other policies only: their names, and the policy that names them.
    pub(super) libraries: BTreeMap<String, String>,
    /// The files that were read, and the modules.
    pub(super) files: Vec<PathBuf>,
}

impl PolicyDir {
    /// Lists a directory. Fails with a message and a remedy.
    pub(super) fn list(dir: &Path) -> Result<Self, Unknown> {
        let mut found = Self::default();
        for entry in fs::read_dir(dir).map_err(|error| unreadable(dir, &error))? {
            found.add(&entry.map_err(|error| unreadable(dir, &error))?.path());
        }
        Ok(found)
    }

    /// The modules by name. One whose name is not UTF-8 cannot be named.
    pub(super) fn modules(&self) -> BTreeMap<String, PathBuf> {
        let named = |(stem, files): (&OsString, &Files)| Some((stem.to_str()?.to_owned(), files.module.clone()?));
        self.stems.iter().filter_map(named).collect()
    }

    /// Reads all policies. `used` are the modules that policies elsewhere use, each with the policy's name.
    pub(super) fn read(&self, filters: &Filters<'_>, used: &[(&FilterSource, &str)]) -> Policies {
        let mut policies = Policies::default();
        let read: Vec<Candidate> = self.stems.iter().map(|(stem, files)| files.read(stem, filters)).collect();
        let elsewhere = used.iter().filter_map(|(filter, policy)| Some((filter.path()?, *policy)));
        let here = read.iter().filter_map(|candidate| Some((candidate.uses.as_deref()?, candidate.name.as_str())));
        let users: BTreeMap<&Path, &str> = elsewhere.chain(here).collect();
        policies.files = self.stems.values().flat_map(Files::paths).collect();
        for candidate in &read {
            match candidate.bare.as_deref().and_then(|module| users.get(module)) {
                Some(user) => drop(policies.libraries.insert(candidate.name.clone(), (*user).to_owned())),
                None => policies.entries.push(candidate.entry()),
            }
        }
        policies
    }

    /// Takes a file into account, unless it is no policy: something hidden, an editor's temporary, a sub-folder.
    fn add(&mut self, path: &Path) {
        let (Some(stem), Some(extension)) = (path.file_stem(), path.extension()) else { return };
        if stem.as_encoded_bytes().starts_with(b".") || path.is_dir() || vanished(path) {
            return;
        }
        let files = |dir: &mut Self| -> &mut Files { dir.stems.entry(stem.to_owned()).or_default() };
        match extension.as_encoded_bytes() {
            b"wasm" => files(self).module = Some(path.to_owned()),
            b"toml" => files(self).written = Some(path.to_owned()),
            _ => (),
        }
    }
}

impl Files {
    fn read(&self, stem: &OsStr, filters: &Filters<'_>) -> Candidate {
        let Some(name) = stem.to_str() else {
            return self.nameless(stem);
        };
        match (&self.written, &self.module) {
            (Some(written), _) => Candidate::written(name, written, filters),
            (None, module) => Candidate::bare(name, module.clone().unwrap_or_default()),
        }
    }

    fn nameless(&self, stem: &OsStr) -> Candidate {
        let origin = self.written.clone().or_else(|| self.module.clone()).unwrap_or_default();
        let report = Report::new(&origin);
        report.whole("the file name is not valid UTF-8", "rename the file");
        let policy = Err(report.into_problems());
        let entry = PolicyEntry { name: escape(stem), origin, from_dir: true, policy };
        Candidate { name: entry.name.clone(), uses: None, bare: None, entry }
    }

    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.written.iter().chain(&self.module).cloned().collect::<Vec<_>>().into_iter()
    }
}
