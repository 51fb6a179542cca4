//! A team's folder: its policies, and files `NAME.routes.toml` with its routes.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use super::{Catalogue, Team};
use crate::config::{
    Files, FilterSource, PolicyEntry, Problem,
    filters::Filters,
    is_code,
    policy_dir::{Found, PolicyDir, is_routes},
    report::Report,
};

/// The folder of a team, as it was found.
#[derive(Debug)]
pub(in crate::config) struct Folder<'a> {
    team: &'a Team,
    dir: PolicyDir,
}

impl Catalogue {
    /// The modules that all may name, by the name that the catalogue gives them.
    pub(in crate::config) fn modules(&self) -> BTreeMap<String, FilterSource> {
        let modules = self.filters.iter().filter(|filter| !matches!(filter.source, FilterSource::Bundled { .. }));
        modules.map(|filter| (filter.name.clone(), filter.source.clone())).collect()
    }

    /// The filters that are modules, each with its name: these are no policies by themselves.
    pub(in crate::config) fn used(&self) -> impl Iterator<Item = (&FilterSource, &str)> {
        self.filters.iter().map(|filter| (&filter.source, filter.name.as_str()))
    }
}

impl<'a> Folder<'a> {
    /// Those that are there.
    pub(in crate::config) fn all(catalogue: &'a Catalogue, files: &Files, report: &Report) -> Vec<Self> {
        let folder = |team: &'a Team| Some(Self { team, dir: list(files, team.folder.as_ref()?, report)? });
        catalogue.teams.iter().filter_map(folder).collect()
    }

    /// Its policies. What is not the team's to have there is a policy that has a problem, under a name that is no other's.
    pub(in crate::config) fn read(
        &self,
        files: &Files,
        shared: &BTreeMap<String, FilterSource>,
        bundled: &[&str],
        used: &[(&FilterSource, &str)],
        is_taken: impl Fn(&str) -> Option<PathBuf>,
    ) -> Found {
        let filters = Filters::new(self.dir.modules(), bundled).with(shared);
        let mut found = self.dir.read(files, &filters, used);
        for entry in &mut found.entries {
            let wrong = match is_taken(&entry.name) {
                _ if !self.team.owns(&entry.name) => Some(self.elsewhere(entry)),
                Some(other) => Some((
                    format!("there is also a policy {:?} in {}", entry.name, other.display()),
                    "remove or rename one of the two".to_owned(),
                )),
                None => None,
            };
            if let Some((message, remedy)) = wrong {
                let problem = Problem { file: entry.origin.clone(), line: None, key: None, message, remedy };
                entry.name = format!("{}/{}", self.team.name, entry.name);
                entry.policy = Err(vec![problem]);
            }
        }
        for link in self.dir.foreign().iter().filter(|path| !is_routes(path)) {
            let Some(stem) = link.file_stem().filter(|_| is_policy(link)) else { continue };
            let (message, remedy) = leads_out(self.team);
            let problem = Problem { file: link.clone(), line: None, key: None, message, remedy };
            let name = format!("{}/{}", self.team.name, stem.to_string_lossy());
            let entry = PolicyEntry { name, origin: link.clone(), from_dir: true, policy: Err(vec![problem]) };
            found.entries.push(entry);
        }
        found.files.extend(self.dir.routes().iter().cloned());
        found
    }

    fn elsewhere(&self, entry: &PolicyEntry) -> (String, String) {
        let spaces: Vec<_> = self.team.policies.iter().map(super::NamePattern::text).collect();
        let spaces = spaces.join(", ");
        (
            format!("{:?} is not in the name space of the team {:?}, {spaces}", entry.name, self.team.name),
            "rename the file".to_owned(),
        )
    }
}

/// What is wrong with a link that leads elsewhere: what is there may be another team's.
pub(super) fn leads_out(team: &Team) -> (String, String) {
    let message = format!("is a link that leads out of the folder of the team {:?}", team.name);
    (message, "put a copy there".to_owned())
}

fn is_policy(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "toml") || is_code(path)
}

/// A folder's content; none if it cannot be read. One that is not there has none.
pub(super) fn list(files: &Files, folder: &Path, report: &Report) -> Option<PolicyDir> {
    match PolicyDir::list_teams(files, folder) {
        Ok(dir) => Some(dir),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(PolicyDir::default()),
        Err(error) => {
            let message = format!("{} cannot be read: {}", folder.display(), error.to_string().to_lowercase());
            report.absent("policies-dir", message, "check its permissions");
            None
        }
    }
}
