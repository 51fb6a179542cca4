//! What there is in the catalogue, and what became of it: filters with what their manifests say and where they are attached, and
//! teams with what they have.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use crate::bundled;
use crate::config::{Catalogue, Config, FilterSource, Problem, SharedFilter, Team, Visibility};
use crate::manifest::{Carried, Manifest};
use crate::pull::Pulls;
use crate::sandbox::Module;

/// The catalogue, to be searched and shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Listing {
    /// The filters that policies can name.
    pub filters: Vec<FilterRow>,
    /// The teams, as far as there is a catalogue.
    pub teams: Vec<TeamRow>,
}

/// A filter.
#[derive(Clone, Debug, Serialize)]
pub struct FilterRow {
    /// The name that policies use.
    pub name: String,
    /// The version that its manifest says.
    pub version: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Whose it is; none if it is the platform's.
    pub owner: Option<String>,
    /// Who may use it: `all`, `owner`, or teams.
    pub visibility: Value,
    /// Where there is more to read.
    pub documentation: Option<String>,
    /// Where its code is: a file, a reference, or `bundled`.
    pub module: String,
    /// What it needs to be granted.
    pub needs: Vec<Need>,
    /// Policies that run it.
    pub attached: Vec<Attached>,
    /// Why it cannot be told what it is.
    pub problem: Option<String>,
    #[serde(skip)]
    teams: Option<BTreeSet<String>>,
}

/// Something that a filter needs.
#[derive(Clone, Debug, Serialize)]
pub struct Need {
    /// The key of `grants`.
    pub grant: &'static str,
    /// Which one.
    pub name: Option<String>,
    /// What for.
    pub why: String,
    /// Whether the filter can do without.
    pub optional: bool,
}

/// A policy that runs a filter.
#[derive(Clone, Debug, Serialize)]
pub struct Attached {
    /// The policy.
    pub policy: String,
    /// Whose it is; none if it is the platform's.
    pub team: Option<String>,
    /// The routes that it is on.
    pub routes: Vec<String>,
}

/// A team.
#[derive(Clone, Debug, Serialize)]
pub struct TeamRow {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// Its name space.
    pub names: Vec<String>,
    /// The requests that are its own.
    pub requests: String,
    /// Where its policies may have modules from, besides what is in the catalogue.
    pub registries: Vec<String>,
    /// Where its routes may send to.
    pub upstreams: Vec<String>,
    /// Policies of the platform that its routes may have.
    pub attach: Vec<String>,
    /// Policies that come first on its routes.
    pub require: Vec<String>,
    /// The most that its policies may be granted.
    pub grants: Value,
    /// What it may have, and what it has.
    pub quota: Value,
    /// Its policies.
    pub policies: Vec<String>,
    /// Its routes.
    pub routes: Vec<String>,
    /// Why its routes are older than what is written.
    pub kept: Vec<String>,
}

impl Listing {
    /// Of a configuration; of modules that are elsewhere, what those say of themselves that are here.
    #[must_use]
    pub fn of(config: &Config, pulls: Option<&Pulls>) -> Self {
        let Some(catalogue) = &config.catalogue else { return Self::of_bundled(Some(config), &[]) };
        let mut listing = Self::of_bundled(Some(config), &catalogue.filters);
        listing.filters.extend(catalogue.filters.iter().map(|filter| FilterRow::shared(filter, config, pulls)));
        listing.filters.sort_by(|one, other| one.name.cmp(&other.name));
        listing.teams = catalogue.teams.iter().map(|team| TeamRow::of(team, config)).collect();
        listing
    }

    /// The filters that are part of the gateway, without those that the catalogue has a word about.
    #[must_use]
    pub fn of_bundled(config: Option<&Config>, told: &[SharedFilter]) -> Self {
        let untold = |name: &&str| !told.iter().any(|filter| filter.name == *name);
        let names = bundled::names().into_iter().filter(untold);
        Self { filters: names.map(|name| FilterRow::bundled(name, config)).collect(), teams: Vec::new() }
    }

    /// Leaves what has all these words, whatever their case, and what a team may use, if one is named.
    pub fn narrow(&mut self, words: &[String], team: Option<&str>) {
        let words: Vec<_> = words.iter().map(|word| word.to_lowercase()).collect();
        self.filters.retain(|filter| {
            let is_for = team.is_none_or(|team| filter.teams.as_ref().is_none_or(|teams| teams.contains(team)));
            let text = filter.text();
            is_for && words.iter().all(|word| text.contains(word))
        });
        self.teams.retain(|known| team.is_none_or(|team| known.name == team));
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

impl FilterRow {
    fn shared(filter: &SharedFilter, config: &Config, pulls: Option<&Pulls>) -> Self {
        let teams = match &filter.visibility {
            Visibility::All => None,
            Visibility::Owner => Some(filter.owner.iter().cloned().collect()),
            Visibility::Teams(teams) => Some(teams.iter().chain(&filter.owner).cloned().collect()),
        };
        let visibility = match &filter.visibility {
            Visibility::All => json!("all"),
            Visibility::Owner => json!("owner"),
            Visibility::Teams(teams) => json!(teams),
        };
        let row = Self {
            description: filter.description.clone(),
            owner: filter.owner.clone(),
            documentation: filter.documentation.clone(),
            version: filter.version.as_ref().map(|(version, _)| version.clone()),
            ..Self::of(&filter.name, &filter.source, Some(config))
        };
        Self { visibility, teams, ..row }.with_manifest(&filter.source, pulls)
    }

    fn bundled(name: &str, config: Option<&Config>) -> Self {
        let source = FilterSource::Bundled { name: name.to_owned() };
        Self::of(name, &source, config).with_manifest(&source, None)
    }

    fn of(name: &str, source: &FilterSource, config: Option<&Config>) -> Self {
        Self {
            name: name.to_owned(),
            version: None,
            description: None,
            owner: None,
            visibility: json!("all"),
            documentation: None,
            module: place_of(source),
            needs: Vec::new(),
            attached: config.map(|config| attached(source, config)).unwrap_or_default(),
            problem: None,
            teams: None,
        }
    }

    /// What the catalogue does not say is as the manifest has it.
    fn with_manifest(mut self, source: &FilterSource, pulls: Option<&Pulls>) -> Self {
        let manifest = match manifest_of(source, pulls) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => return self,
            Err(problem) => return Self { problem: Some(problem), ..self },
        };
        let needs = manifest.needs.iter().map(|need| Need {
            grant: need.kind.key(),
            name: need.name.clone(),
            why: need.why.clone(),
            optional: need.optional,
        });
        self.needs = needs.collect();
        self.description = self.description.or(manifest.description);
        self.version = Some(manifest.version);
        self
    }

    /// What is searched, in lower case.
    fn text(&self) -> String {
        let needs = self.needs.iter().map(|need| need.grant);
        let texts = [&self.description, &self.owner].into_iter().flatten().map(String::as_str);
        let all: Vec<_> = [self.name.as_str()].into_iter().chain(texts).chain(needs).collect();
        all.join("\n").to_lowercase()
    }
}

impl TeamRow {
    fn of(team: &Team, config: &Config) -> Self {
        let own = config.policies.iter().filter(|entry| team.owns(&entry.name));
        let routes = config.routes.iter().filter(|route| route.team.as_deref() == Some(team.name.as_str()));
        let routes: Vec<_> = routes.map(|route| route.name.clone()).collect();
        let inside = |problem: &&Problem| team.folder.as_ref().is_some_and(|folder| problem.file.starts_with(folder));
        Self {
            name: team.name.clone(),
            description: team.description.clone(),
            contact: team.contact.clone(),
            names: team.policies.iter().map(|pattern| pattern.text()).collect(),
            requests: team.requests(),
            registries: team.registries.iter().map(|pattern| pattern.text().to_owned()).collect(),
            upstreams: team.upstreams.iter().map(|pattern| pattern.text()).collect(),
            attach: team.attach.iter().map(|pattern| pattern.text()).collect(),
            require: team.require.clone(),
            grants: team.written_grants.clone(),
            quota: team.usage(&config.policies, routes.len()),
            policies: own.map(|entry| entry.name.clone()).collect(),
            kept: config.kept.iter().filter(inside).map(ToString::to_string).collect(),
            routes,
        }
    }
}

fn attached(source: &FilterSource, config: &Config) -> Vec<Attached> {
    let team_of = |name: &str| config.catalogue.as_deref().and_then(|catalogue: &Catalogue| catalogue.team_of(name));
    let policies = config.policies.iter().filter_map(|entry| entry.policy.as_ref().ok());
    let policies = policies.filter(|policy| policy.filter.is(source));
    let on = |name: &str| {
        let routes = config.routes.iter().filter(|route| route.policies.iter().any(|policy| policy == name));
        routes.map(|route| route.name.clone()).collect()
    };
    policies
        .map(|policy| Attached {
            policy: policy.name.clone(),
            team: team_of(&policy.name).map(|team| team.name.clone()),
            routes: on(&policy.name),
        })
        .collect()
}

fn place_of(source: &FilterSource) -> String {
    match source {
        FilterSource::Module { path, .. } => path.display().to_string(),
        FilterSource::Pulled { reference, .. } => reference.to_string(),
        FilterSource::Bundled { .. } => "bundled".to_owned(),
    }
}

/// What a module says about itself; nothing of it is compiled or run.
fn manifest_of(source: &FilterSource, pulls: Option<&Pulls>) -> Result<Option<Manifest>, String> {
    if source.language().is_some() {
        return Ok(None);
    }
    let content = match source {
        FilterSource::Pulled { reference, .. } => match pulls.and_then(|pulls| pulls.get(reference).ok()) {
            Some(pulled) => pulled.module.into(),
            None => return Ok(None),
        },
        FilterSource::Bundled { name } => bundled::module(name).map(<[u8]>::to_vec).unwrap_or_default(),
        FilterSource::Module { path, .. } => {
            let told = |error: std::io::Error| format!("its module cannot be read: {error}");
            let size = std::fs::metadata(path).map_err(told)?.len();
            Module::check_size(size).map_err(|error| error.to_string())?;
            std::fs::read(path).map_err(told)?
        }
    };
    Carried::read(&content).map(|carried| carried.manifest).map_err(|error| error.to_string())
}
