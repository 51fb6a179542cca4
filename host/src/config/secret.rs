//! `[secrets.NAME]`: where a secret is. What it is stays out of the configuration.

use std::path::{Path, PathBuf};

use super::{
    Place,
    report::{At, Report},
    section::{Item, Section},
};

/// A secret by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEntry {
    /// Its name, unique.
    pub name: String,
    /// Where it is.
    pub source: SecretSource,
    /// Where that is written.
    pub place: Place,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `file`, which is watched.
    File(PathBuf),
    /// `env`: a variable of the environment that the gateway was started with.
    Environment(String),
}

/// `[secrets.NAME]` as written.
#[derive(Debug)]
pub(super) struct SecretTable {
    name: At<String>,
    file: Option<At<String>>,
    env: Option<At<String>>,
}

impl SecretTable {
    /// Reads all keys and reports what is wrong with them.
    pub(super) fn read(name: At<String>, mut section: Section<'_>) -> Self {
        let table = Self {
            name,
            file: section.take("file").and_then(Item::string),
            env: section.take("env").and_then(Item::string),
        };
        section.finish();
        table
    }

    /// The secret, if it says in one way where it is.
    pub(super) fn check(self, folder: &Path, report: &Report) -> Option<SecretEntry> {
        let (at, source) = match (self.file, self.env) {
            (Some(file), None) => {
                let path = folder.join(&file.value);
                (file, SecretSource::File(path))
            }
            (None, Some(env)) => {
                let name = env.value.clone();
                (env, SecretSource::Environment(name))
            }
            (file, env) => {
                let is_wrong = file.is_some() || !report.concerns(&self.name.key);
                let message = if env.is_some() { "has both a file and a variable" } else { "does not say where it is" };
                let remedy = "write file = \"…\", or env = \"…\" for a variable of the environment";
                is_wrong.then(|| report.at(&self.name, message, remedy));
                return None;
            }
        };
        let place = Place { file: report.file().to_owned(), line: Some(at.line), key: Some(at.key) };
        Some(SecretEntry { name: self.name.value, source, place })
    }
}

impl SecretEntry {
    /// The file that it is in, if it is in one.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.source {
            SecretSource::File(path) => Some(path),
            SecretSource::Environment(_) => None,
        }
    }
}
