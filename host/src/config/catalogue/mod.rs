//! The catalogue of a gateway that several teams share: which policies, routes and filters belong to whom, what each team may
//! attach to which routes and grant to its policies, and how much of everything it may have.
//!
//! A policy belongs to the team whose name space its name is in, wherever it is written; all others, and the configuration file, are
//! the platform's. What a team has in its folder is held to what the catalogue says: policies by [`Catalogue::admit`], which also
//! sees versions that served before, and routes when they are checked.

mod area;
mod bounds;
mod file;
mod folder;
mod quota;
mod routes;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{FilterSource, Grants, Place, PlacePattern, Policy, PolicyEntry, Problem, names, report::Report};

pub use self::{
    area::{Area, NamePattern},
    quota::Quota,
};
pub(super) use self::{
    file::Around,
    folder::Folder,
    routes::{TeamRoutes, check as check_route, of_teams as team_routes},
};

/// The catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// The file.
    pub file: PathBuf,
    /// The teams in the order as written.
    pub teams: Vec<Team>,
    /// The filters that teams can name, in the order as written.
    pub filters: Vec<SharedFilter>,
}

/// A team, and what it may do.
#[derive(Debug, Clone)]
pub struct Team {
    /// Its name, unique.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// `policies`: its name space. No two teams' overlap.
    pub policies: Vec<NamePattern>,
    /// `attach`: policies of the platform that its routes may have besides its own.
    pub attach: Vec<NamePattern>,
    /// `require`: policies that come first on all its routes.
    pub require: Vec<String>,
    /// `upstreams`: where its routes may send to.
    pub upstreams: Vec<NamePattern>,
    /// `registries`: where its policies may have modules from, besides what is in the catalogue.
    pub registries: Vec<PlacePattern>,
    /// `routes`: the requests that are its own; without it, none are.
    pub area: Option<Area>,
    /// `grants`: the most that its policies may be granted.
    pub grants: Grants,
    /// The same as written, as JSON.
    pub written_grants: Value,
    /// `captures`: the folder below which its policies may capture faults.
    pub captures: Option<PathBuf>,
    /// `quota`: how much it may have.
    pub quota: Quota,
    /// Where it is written.
    pub place: Place,
    /// Where its policies and routes are: a folder of the policies directory that has its name, if there is such a directory.
    pub folder: Option<PathBuf>,
}

/// A filter that is offered to teams.
#[derive(Debug, Clone)]
pub struct SharedFilter {
    /// The name that policies use.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The team whose it is; without one, the platform's.
    pub owner: Option<String>,
    /// `version`: the one that its manifest has to have, and where that is written.
    pub version: Option<(String, Place)>,
    /// Its code.
    pub source: FilterSource,
    /// `sha256`: the digest that the module must have, and where that is written.
    pub sha256: Option<(String, Place)>,
    /// Who may use it.
    pub visibility: Visibility,
    /// Where there is more to read.
    pub documentation: Option<String>,
    /// Where it is written.
    pub place: Place,
}

/// Who may use a filter. The platform may use all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// `"all"`: every team.
    All,
    /// `"owner"`: the team whose it is.
    Owner,
    /// These teams, and the one whose it is.
    Teams(Vec<String>),
}

impl Catalogue {
    /// The team that a policy belongs to, by its name; none if it is the platform's.
    #[must_use]
    pub fn team_of(&self, policy: &str) -> Option<&Team> {
        self.teams.iter().find(|team| team.owns(policy))
    }

    /// The team of that name.
    #[must_use]
    pub fn team(&self, name: &str) -> Option<&Team> {
        self.teams.iter().find(|team| team.name == name)
    }

    /// Holds a policy to what its team may have: what it says beyond that is a problem, what it does not say is at its default or at
    /// what the team may have, whichever is less.
    ///
    /// # Errors
    /// All that the team may not do.
    pub fn admit(&self, policy: &mut Policy) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        if let Some(team) = self.team_of(&policy.name) {
            problems.extend(self.hidden(team, policy));
            problems.extend(bounds::hold(self, team, policy));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Holds all policies to what their teams may have. A problem of a policy that has a file of its own stays with it; what a team has
    /// too much of keeps all of its changes from being live, and nothing that serves from serving.
    pub(super) fn check(&self, entries: &mut [PolicyEntry], report: &Report) {
        for entry in entries.iter_mut() {
            let Ok(policy) = &mut entry.policy else { continue };
            self.expect(policy);
            if let Err(problems) = self.admit(policy) {
                refuse(entry, problems, report);
            }
        }
        for team in &self.teams {
            let problems = team.quota.exceeded(self, team, entries);
            let own = entries.iter_mut().filter(|entry| !problems.is_empty() && team.owns(&entry.name));
            own.for_each(|entry| refuse(entry, problems.clone(), report));
        }
    }

    /// A filter of the catalogue has to be what the catalogue says. A version that served before was that then.
    fn expect(&self, policy: &mut Policy) {
        let Some(filter) = self.filters.iter().find(|filter| filter.source.is(&policy.filter)) else { return };
        policy.version.clone_from(&filter.version);
        if policy.sha256.is_none() {
            policy.sha256.clone_from(&filter.sha256);
        }
    }

    /// The files that it is made of: itself, and the modules that it names.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let modules = self.filters.iter().filter_map(|filter| filter.source.path().map(Path::to_owned));
        [self.file.clone()].into_iter().chain(modules).collect()
    }

    /// What is wrong with the filter of a policy, if it is one that its team may not use.
    fn hidden(&self, team: &Team, policy: &Policy) -> Option<Problem> {
        let filter = self.filters.iter().find(|filter| filter.source.is(&policy.filter))?;
        if filter.is_for(&team.name) {
            return None;
        }
        let owner = filter.owner.as_deref().unwrap_or("the platform");
        let message = format!("the filter {:?} of the catalogue is not for the team {:?}", filter.name, team.name);
        let remedy = format!("use another one, or ask its owner, {owner}, to add the team to its visibility");
        Some(Problem { file: policy.place.file.clone(), line: None, key: Some("filter".to_owned()), message, remedy })
    }
}

impl Team {
    /// Whether a policy of that name is the team's.
    #[must_use]
    pub fn owns(&self, policy: &str) -> bool {
        let short = names::without_order_number(policy).unwrap_or(policy);
        self.policies.iter().any(|pattern| pattern.matches(short))
    }

    /// The requests that are its own, for people.
    #[must_use]
    pub fn requests(&self) -> String {
        self.area.as_ref().map_or_else(|| "none".to_owned(), Area::describe)
    }

    /// What it has of what it may have, as JSON.
    #[must_use]
    pub fn usage(&self, entries: &[PolicyEntry], routes: usize) -> Value {
        self.quota.usage(self, entries, routes)
    }

    /// The place of one of its keys.
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.place.key.as_deref().unwrap_or_default())
    }
}

impl SharedFilter {
    /// Whether a team may use it.
    #[must_use]
    pub fn is_for(&self, team: &str) -> bool {
        let is_owner = self.owner.as_deref() == Some(team);
        match &self.visibility {
            Visibility::All => true,
            Visibility::Owner => is_owner,
            Visibility::Teams(teams) => is_owner || teams.iter().any(|name| name == team),
        }
    }
}

fn refuse(entry: &mut PolicyEntry, problems: Vec<Problem>, report: &Report) {
    match (entry.from_dir, &mut entry.policy) {
        (false, _) => problems.into_iter().for_each(|problem| report.add(problem)),
        (true, Err(before)) => before.extend(problems),
        (true, policy) => *policy = Err(problems),
    }
}
