//! `[registries."HOST"]`: how registries of filters are reached.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{
    Files, Problem,
    document::Document,
    file::named,
    report::{At, Report, Wrong},
    section::{Item, Section},
    transport,
};
use crate::oci::{Access, Reference, Server};

/// As written.
#[derive(Debug)]
pub(super) struct RegistryTable {
    host: At<String>,
    mirrors: Vec<At<String>>,
    plain: Option<At<bool>>,
    ca: Option<At<String>>,
    credentials: Option<At<String>>,
    timeout: Option<Duration>,
}

impl RegistryTable {
    pub(super) fn read(host: At<String>, mut section: Section<'_>) -> Self {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(600));
        let mirrors = section.take("mirrors").and_then(|item| item.strings("leave mirrors out"));
        let table = Self {
            host,
            mirrors: mirrors.unwrap_or_default(),
            plain: section.take("plain-http").and_then(Item::boolean),
            ca: section.take("ca").and_then(Item::string),
            credentials: section.take("credentials").and_then(Item::string),
            timeout: section.take("timeout").and_then(|item| item.duration(least, most)),
        };
        section.finish();
        table
    }

    /// The registry's host and what is said about it, with the files that it was read from; paths are relative to the folder.
    pub(super) fn check(self, folder: &Path, report: &Report) -> (String, Server, Vec<PathBuf>) {
        let remedy = "write [registries.\"HOST\"], with a port if there is one";
        if self.host.value.contains('/') || Reference::parse(&format!("{}/x", self.host.value)).is_err() {
            report.at(&self.host, "is no host of a registry", remedy);
        }
        for mirror in &self.mirrors {
            report.good(mirror, check_mirror(&mirror.value));
        }
        let mut files = Vec::new();
        let roots = self.ca.and_then(|at| {
            files.push(folder.join(&at.value));
            report.good(&at, transport::roots(&at.value, folder))
        });
        if let Some(at) = self.plain.as_ref().filter(|at| at.value && roots.is_some()) {
            report.at(at, "is in clear, without any certificate", "remove it, or ca");
        }
        let credentials = self.credentials.map(|at| folder.join(at.value));
        let server = Server {
            mirrors: self.mirrors.into_iter().map(|at| at.value).collect(),
            plain: self.plain.map(|at| at.value),
            roots,
            credentials,
            timeout: self.timeout,
        };
        (self.host.value, server, files)
    }
}

/// How registries are reached, with all files that this was read from.
pub(super) fn check_all(tables: Vec<RegistryTable>, folder: &Path, report: &Report) -> (Access, Vec<PathBuf>) {
    let (mut access, mut files) = (Access::default(), Vec::new());
    for table in tables {
        let (host, server, more) = table.check(folder, report);
        access.servers.insert(host, server);
        files.extend(more);
    }
    (access, files)
}

/// `[registries]` of a config file, whatever else is in it.
///
/// # Errors
/// What is wrong with that.
pub fn registries_of(file: &Path) -> Result<Access, Vec<Problem>> {
    let document = Document::read(&Files::on_disk(), file, "check the path given to --config");
    let folder = file.parent().unwrap_or(Path::new(""));
    let access = document.parse().map(|mut section| {
        let tables = named(section.take("registries"), RegistryTable::read);
        check_all(tables, folder, &document.report).0
    });
    match document.report.into_problems() {
        problems if problems.is_empty() => Ok(access.unwrap_or_default()),
        problems => Err(problems),
    }
}

fn check_mirror(mirror: &str) -> Result<(), Wrong> {
    Reference::parse(&format!("{mirror}/x")).map(drop).map_err(|_| {
        (format!("{mirror:?} is no registry"), "write a host, and a path if repositories are below one".to_owned())
    })
}
