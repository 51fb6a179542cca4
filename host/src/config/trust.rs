//! `[[trust]]`: whose modules are run, by where they come from.

use std::path::{Path, PathBuf};

use super::{
    Place, PlacePattern, places,
    report::{At, Report, Wrong},
    section::{Item, Section},
};
use crate::oci::{self, PublicKey};

/// The largest file of a key that is read.
const MAX_KEY: u64 = 64 << 10;

/// Who is trusted with modules from some places. The first rule that is about a place counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Trust {
    /// Which places it is about.
    pub about: About,
    /// `keys`: whoever has signed with one of these is trusted.
    pub keys: Vec<PublicKey>,
    /// `unsigned`: what becomes of others.
    pub unsigned: Unsigned,
    /// Where it is written.
    pub place: Place,
}

/// Places that modules come from, as patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// `registries`: repositories, and bundles.
    Registries(Vec<PlacePattern>),
    /// `files`: modules in files.
    Files(Vec<PathBuf>),
}

/// What becomes of a module that nobody trusted has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// `"refuse"`: it is not run.
    Refuse,
    /// `"warn"`: it is run, and the log says so.
    Warn,
}

/// As written.
#[derive(Debug)]
pub(super) struct TrustTable {
    place: At<()>,
    registries: Option<Vec<At<String>>>,
    files: Option<Vec<At<String>>>,
    keys: Vec<At<String>>,
    unsigned: Option<Unsigned>,
}

impl Trust {
    /// Whether it is about what comes from there: a repository, or a bundle.
    #[must_use]
    pub fn is_about(&self, place: &oci::Place) -> bool {
        let About::Registries(patterns) = &self.about else { return false };
        patterns.iter().any(|pattern| pattern.matches(place))
    }

    /// Whether it is about a module in that file.
    #[must_use]
    pub fn is_about_file(&self, path: &Path) -> bool {
        let About::Files(patterns) = &self.about else { return false };
        let path = path.to_string_lossy();
        patterns.iter().any(|pattern| places::matches(&pattern.to_string_lossy(), &path))
    }
}

impl TrustTable {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let patterns = |item: Item<'_>| item.strings("write the places that it is about");
        let table = Self {
            place: section.place(),
            registries: section.take("registries").and_then(patterns),
            files: section.take("files").and_then(patterns),
            keys: section.take("keys").and_then(|item| item.strings("leave keys out")).unwrap_or_default(),
            unsigned: section.take("unsigned").and_then(read_unsigned),
        };
        section.finish();
        table
    }

    /// The rule, with all files that it was read from; paths are relative to the folder.
    pub(super) fn check(self, folder: &Path, report: &Report) -> Option<(Trust, Vec<PathBuf>)> {
        let about = match (self.registries, self.files) {
            (Some(registries), None) => {
                let pattern = |at: &At<String>| report.good(at, PlacePattern::parse(&at.value, folder));
                About::Registries(registries.iter().filter_map(pattern).collect())
            }
            (None, Some(files)) => About::Files(files.into_iter().map(|at| folder.join(at.value)).collect()),
            _ => {
                let remedy = "write registries = [\"ghcr.io/acme/*\"], or files = [\"policies/*\"]";
                report.at(&self.place, "is about nothing, or about both registries and files", remedy);
                return None;
            }
        };
        if self.keys.is_empty() && self.unsigned != Some(Unsigned::Warn) {
            let remedy = "add keys = [\"acme.pub\"], or unsigned = \"warn\" to run what nobody has signed";
            report.at(&self.place, "has no keys, so nothing could be trusted", remedy);
        }
        let files: Vec<_> = self.keys.iter().map(|at| folder.join(&at.value)).collect();
        let keys = self.keys.iter().filter_map(|at| report.good(at, read_key(&at.value, folder))).collect();
        let place = Place { file: report.file().to_owned(), line: Some(self.place.line), key: Some(self.place.key) };
        Some((Trust { about, keys, unsigned: self.unsigned.unwrap_or(Unsigned::Refuse), place }, files))
    }
}

fn read_key(written: &str, folder: &Path) -> Result<PublicKey, Wrong> {
    let path = folder.join(written);
    let remedy = || "write the path of a public key in PEM".to_owned();
    let unreadable = |error: std::io::Error| (format!("{written:?} cannot be read: {error}"), remedy());
    if std::fs::metadata(&path).map_err(unreadable)?.len() > MAX_KEY {
        return Err((format!("{written:?} is larger than 64KiB"), remedy()));
    }
    let pem = std::fs::read(&path).map_err(unreadable)?;
    PublicKey::from_pem(&pem).map_err(|problem| (format!("{written:?} {problem}"), remedy()))
}

fn read_unsigned(item: Item<'_>) -> Option<Unsigned> {
    let report = item.report();
    let at = item.string()?;
    match at.value.as_str() {
        "refuse" => Some(Unsigned::Refuse),
        "warn" => Some(Unsigned::Warn),
        other => {
            report.at(&at, format!("{other:?} is not known"), "write \"refuse\" or \"warn\"");
            None
        }
    }
}
