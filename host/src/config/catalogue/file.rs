//! The catalogue as written: `[teams.NAME]` and `[filters.NAME]`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Area, Catalogue, NamePattern, Quota, SharedFilter, Team, Visibility, area};
use crate::config::{
    Files, FilterSource, Place, PlacePattern,
    document::Document,
    file::named,
    filters, grants, names, policy_file,
    report::{At, Report, Wrong},
    section::{Item, Section},
};
use crate::oci::Reference;

/// Where things are that the catalogue is about.
pub(in crate::config) struct Around<'a> {
    /// The files.
    pub(in crate::config) files: &'a Files,
    /// The policies directory, if there is one.
    pub(in crate::config) policies_dir: Option<&'a Path>,
    /// The names of the filters that are part of the gateway.
    pub(in crate::config) bundled: &'a [&'a str],
}

impl Catalogue {
    /// Reads it. What is wrong with it is reported; it is there as far as it is good.
    pub(in crate::config) fn read(file: PathBuf, around: &Around<'_>, report: &Report) -> Self {
        let document = Document::read(around.files, &file, "write it, or remove the key catalogue");
        let mut catalogue = Self { file, teams: Vec::new(), filters: Vec::new() };
        if let Some(mut section) = document.parse() {
            let (own, folder) = (&document.report, catalogue.file.parent().unwrap_or(Path::new("")).to_owned());
            let teams = named(section.take("teams"), |name, table| team(name, table, &folder, around));
            let filters = named(section.take("filters"), |name, table| filter(name, table, &folder, around));
            catalogue.teams = teams.into_iter().flatten().collect();
            catalogue.filters = filters.into_iter().flatten().collect();
            section.finish();
            catalogue.check_names(own);
        }
        report.absorb(document.report);
        catalogue
    }

    /// Name spaces do not overlap, and teams that are named are there.
    fn check_names(&self, report: &Report) {
        for (index, team) in self.teams.iter().enumerate() {
            let others = self.teams[..index].iter();
            let mut shared = others.flat_map(|other| other.policies.iter().map(move |pattern| (other, pattern)));
            let shared = shared.find(|(_, other)| team.policies.iter().any(|pattern| pattern.overlaps(other)));
            if let Some((other, pattern)) = shared {
                let message =
                    format!("overlaps with {:?}, the name space of the team {:?}", pattern.text(), other.name);
                let line = team.place.line.unwrap_or(1);
                report.key(
                    &team.key("policies"),
                    line,
                    message,
                    "a policy belongs to one team: give each names of its own",
                );
            }
        }
        for filter in &self.filters {
            let teams = match &filter.visibility {
                Visibility::Teams(teams) => teams.as_slice(),
                _ => &[],
            };
            let named =
                filter.owner.iter().map(|owner| ("owner", owner)).chain(teams.iter().map(|team| ("visibility", team)));
            for (key, name) in named.filter(|(_, name)| self.team(name).is_none()) {
                let known = self.teams.iter().map(|team| team.name.as_str());
                let key = format!("{}.{key}", filter.place.key.as_deref().unwrap_or_default());
                let remedy = names::suggest(name, "teams", known);
                report.key(&key, filter.place.line.unwrap_or(1), format!("there is no team {name:?}"), remedy);
            }
            if filter.visibility == Visibility::Owner && filter.owner.is_none() {
                let key = format!("{}.owner", filter.place.key.as_deref().unwrap_or_default());
                let message = "is missing, and only the owner may use it";
                report.key(
                    &key,
                    filter.place.line.unwrap_or(1),
                    message,
                    "add owner = \"TEAM\", or visibility = \"all\"",
                );
            }
        }
    }
}

fn team(name: At<String>, mut section: Section<'_>, folder: &Path, around: &Around<'_>) -> Option<Team> {
    let report = section.report();
    let grants = section.take("grants");
    let written_grants = grants.as_ref().and_then(Item::written).unwrap_or(Value::Null);
    let policies = patterns(&mut section, "policies");
    let team = Team {
        description: text(&mut section, "description"),
        contact: text(&mut section, "contact"),
        policies: policies.unwrap_or_else(|| vec![NamePattern::Beginning(format!("{}-", name.value))]),
        attach: patterns(&mut section, "attach").unwrap_or_default(),
        require: names_of(&mut section, "require"),
        upstreams: patterns(&mut section, "upstreams").unwrap_or_default(),
        registries: registries(&mut section, folder),
        area: section.take("routes").and_then(read_area),
        grants: grants.and_then(Item::section).map(grants::read).unwrap_or_default(),
        written_grants,
        captures: text(&mut section, "captures").map(|captures| folder.join(captures)),
        quota: section.take("quota").and_then(Item::section).map(Quota::read).unwrap_or_default(),
        folder: around.policies_dir.map(|dir| dir.join(&name.value)),
        place: place(&name, report),
        name: name.value.clone(),
    };
    section.finish();
    if team.policies.iter().any(|pattern| pattern.text() == "*") {
        let message = "is the name space of everything";
        report.key(&team.key("policies"), name.line, message, "leave some to others: write \"NAME-*\"");
    }
    // It is the name of a folder.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.value.is_empty() || !name.value.chars().all(is_plain) {
        report.at(&name, format!("{:?} is no name of a team", name.value), "write letters, digits, - and _");
        return None;
    }
    Some(team)
}

fn filter(name: At<String>, mut section: Section<'_>, folder: &Path, around: &Around<'_>) -> Option<SharedFilter> {
    let report = section.report();
    let with_place = |at: At<String>| {
        let own = Place { file: report.file().to_owned(), line: Some(at.line), key: Some(at.key.clone()) };
        (at.value, own)
    };
    let module = section.take("module").and_then(Item::string);
    let source = match &module {
        Some(at) => report.good(at, module_at(&name.value, &at.value, folder, around)),
        None if around.bundled.contains(&name.value.as_str()) => {
            Some(FilterSource::Bundled { name: name.value.clone() })
        }
        None if report.has(&format!("{}.module", name.key)) => None,
        None => {
            let message = format!("there is no bundled filter {:?}", name.value);
            let remedy = "add module = \"PATH.wasm\", relative to the catalogue, or \"oci://HOST/REPOSITORY:TAG\"";
            report.at(&name, message, remedy);
            None
        }
    };
    let filter = (
        text(&mut section, "description"),
        text(&mut section, "owner"),
        section.take("version").and_then(Item::string).map(with_place),
        section.take("sha256").and_then(policy_file::read_digest).map(with_place),
        section.need("visibility", "add visibility = \"all\", \"owner\", or a list of teams").and_then(read_visibility),
        text(&mut section, "documentation"),
    );
    section.finish();
    let place = place(&name, report);
    let (description, owner, version, sha256, visibility, documentation) = filter;
    let (source, visibility) = (source?, visibility?);
    Some(SharedFilter {
        name: name.value,
        description,
        owner,
        version,
        source,
        sha256,
        visibility,
        documentation,
        place,
    })
}

/// The module, by the name that the catalogue gives it.
fn module_at(name: &str, written: &str, folder: &Path, around: &Around<'_>) -> Result<FilterSource, Wrong> {
    if Reference::is_meant(written) {
        return Ok(filters::pulled(written, folder)?.called(name));
    }
    let wrong = |(message, _)| (message, "write a path relative to the catalogue".to_owned());
    Ok(filters::at_path(around.files, written, folder).map_err(wrong)?.called(name))
}

fn read_visibility(item: Item<'_>) -> Option<Visibility> {
    let remedy = "write \"all\", \"owner\", or a list of teams";
    if item.is_array() {
        let teams = item.strings(remedy)?;
        return Some(Visibility::Teams(teams.into_iter().map(|at| at.value).collect()));
    }
    let report = item.report();
    let at = item.string()?;
    match at.value.as_str() {
        "all" => Some(Visibility::All),
        "owner" => Some(Visibility::Owner),
        other => {
            report.at(&at, format!("{other:?} is not known"), remedy);
            None
        }
    }
}

fn read_area(item: Item<'_>) -> Option<Area> {
    let (report, place) = (item.report(), item.place());
    let mut section = item.section()?;
    let mut list = |key: &'static str| section.take(key)?.strings(&format!("leave {key} out to mean any"));
    let (hosts, paths, listeners) = (list("hosts"), list("paths"), list("listeners"));
    section.finish();
    if hosts.is_none() && paths.is_none() && listeners.is_none() && !report.concerns(&place.key) {
        report.at(&place, "says nothing", "write hosts, paths or both; paths = [\"/*\"] is all requests");
    }
    let listeners = listeners.map(|names| names.into_iter().map(|at| at.value).collect());
    Some(Area { hosts: good(hosts, report, area::host), paths: good(paths, report, area::PathArea::parse), listeners })
}

fn patterns(section: &mut Section<'_>, key: &'static str) -> Option<Vec<NamePattern>> {
    let report = section.report();
    let texts = section.take(key)?.strings("write names, or leave it out");
    good(texts, report, NamePattern::parse)
}

fn registries(section: &mut Section<'_>, folder: &Path) -> Vec<PlacePattern> {
    let report = section.report();
    let texts = section.take("registries").and_then(|item| item.strings("write repositories, or leave it out"));
    good(texts, report, |text| PlacePattern::parse(text, folder)).unwrap_or_default()
}

fn names_of(section: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let names = section.take(key).and_then(|item| item.strings("write names, or leave it out"));
    names.unwrap_or_default().into_iter().map(|at| at.value).collect()
}

fn good<T>(
    texts: Option<Vec<At<String>>>,
    report: &Report,
    parse: impl Fn(&str) -> Result<T, Wrong>,
) -> Option<Vec<T>> {
    Some(texts?.iter().filter_map(|at| report.good(at, parse(&at.value))).collect())
}

fn text(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    section.take(key).and_then(Item::string).map(|at| at.value)
}

fn place(name: &At<String>, report: &Report) -> Place {
    Place { file: report.file().to_owned(), line: Some(name.line), key: Some(name.key.clone()) }
}
