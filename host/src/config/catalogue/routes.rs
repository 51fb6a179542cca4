//! Routes that teams write, and policies of teams on routes: who may attach what to which requests.

use std::path::Path;

use super::{Catalogue, Team, folder};
use crate::config::{
    Files, Problem, Route,
    document::Document,
    file::{RouteTable, tables},
    names::{self, Meaning},
    policy_dir::is_routes,
    report::{At, Report},
    route::{self, Known},
    section::Section,
};
use crate::route::{Action, Forward};

/// What teams' routes came to.
#[derive(Debug, Default)]
pub(in crate::config) struct TeamRoutes {
    /// The routes, in the order of the teams.
    pub(in crate::config) routes: Vec<Route>,
    /// What is wrong with those of a team whose older ones stay.
    pub(in crate::config) kept: Vec<Problem>,
}

/// The routes of all teams, each by itself: if there is anything wrong with those of a team, and it had others before, these stay.
pub(in crate::config) fn of_teams(files: &Files, known: &Known<'_>, own: &[Route], report: &Report) -> TeamRoutes {
    let mut found = TeamRoutes::default();
    let Some(catalogue) = known.catalogue else { return found };
    for team in &catalogue.teams {
        let required = required(catalogue, team, known, report);
        let taken: Vec<String> = own.iter().chain(&found.routes).map(|route| route.name.clone()).collect();
        let (routes, wrong) = of_team(files, team, known, &taken);
        if files.holds_back(&team.name) {
            wrong.whole("its routes name policies that are not ready", "see what is wrong with these");
        }
        if !wrong.any() {
            found.routes.extend(routes.into_iter().map(|route| with(&required, route)));
            continue;
        }
        let older = files.last().map(|last| (of_team(&last, team, known, &taken), last));
        match older {
            Some(((routes, still_wrong), last)) if !still_wrong.any() => {
                files.take_back(team.folder.as_deref(), last);
                found.routes.extend(routes.into_iter().map(|route| with(&required, route)));
                found.kept.extend(wrong.into_problems());
            }
            _ => report.absorb(wrong),
        }
    }
    found
}

/// The policies that come first on the routes of a team.
fn required(catalogue: &Catalogue, team: &Team, known: &Known<'_>, report: &Report) -> Vec<String> {
    let mut required = Vec::new();
    for written in team.require.iter().filter(|_| known.policies.is_complete()) {
        let wrong = match known.policies.find(written) {
            Ok(name) => match catalogue.team_of(&name).filter(|owner| owner.name != team.name) {
                None => {
                    required.push(name);
                    continue;
                }
                Some(owner) => (
                    format!("the policy {name:?} belongs to the team {:?}", owner.name),
                    "name a policy of the platform".to_owned(),
                ),
            },
            Err(wrong) => wrong,
        };
        let (message, remedy) = wrong;
        let (key, line) = (Some(team.key("require")), team.place.line);
        report.add(Problem { file: catalogue.file.clone(), line, key, message, remedy });
    }
    required
}

/// A route with these policies before its own.
fn with(required: &[String], route: Route) -> Route {
    let own = route.policies.into_iter().filter(|name| !required.contains(name));
    Route { policies: required.iter().cloned().chain(own).collect(), ..route }
}

/// The routes of a team, whose names are not among these, and what is wrong with them.
fn of_team(files: &Files, team: &Team, known: &Known<'_>, taken: &[String]) -> (Vec<Route>, Report) {
    let report = Report::new(team.folder.clone().unwrap_or_default());
    let (mut routes, known) = (Vec::new(), Known { team: Some(team), ..*known });
    let dir = team.folder.as_deref().and_then(|folder| folder::list(files, folder, &report)).unwrap_or_default();
    for link in dir.foreign().iter().filter(|path| is_routes(path)) {
        let (message, remedy) = folder::leads_out(team);
        report.add(Problem { file: link.clone(), line: None, key: None, message, remedy });
    }
    for file in dir.routes() {
        let document = Document::read(files, file, "write it again, or remove the link");
        let tables = document.parse().map(|section| read(section, file)).unwrap_or_default();
        for name in tables.iter().filter_map(|table| table.name.as_ref()) {
            if taken.contains(&name.value) || routes.iter().any(|route: &Route| route.name == name.value) {
                let message = format!("{:?} is the name of another route already", name.value);
                document.report.at(name, message, "give each route its own name");
            }
        }
        routes.extend(route::check_all(tables, &known, &document.report));
        report.absorb(document.report);
    }
    let catalogue = known.catalogue.into_iter();
    catalogue
        .filter_map(|catalogue| team.quota.too_many_routes(catalogue, team, routes.len()))
        .for_each(|it| report.add(it));
    (routes, report)
}

/// The tables of a file. Those without a name are named after the file.
fn read(mut section: Section<'_>, file: &Path) -> Vec<RouteTable> {
    let tables = tables(section.take("routes")).into_iter().map(RouteTable::read);
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.strip_suffix(".routes.toml").unwrap_or(name);
    let named = |(index, table): (usize, RouteTable)| {
        let by_default =
            || At { value: format!("{stem}-{}", index + 1), key: table.place.key.clone(), line: table.place.line };
        RouteTable { name: Some(table.name.clone().unwrap_or_else(by_default)), ..table }
    };
    let tables = tables.enumerate().map(named).collect();
    section.finish();
    tables
}

/// Holds a route to what its team may do, if it is a team's, and to the policies that it names: a policy of a team sees the requests of
/// its team and no others, whoever writes the route.
pub(in crate::config) fn check(table: &RouteTable, route: &Route, known: &Known<'_>, report: &Report) {
    let Some(catalogue) = known.catalogue else { return };
    if let Some(team) = known.team {
        inside(catalogue, team, table, route, known, report);
    }
    for at in &table.policies {
        let Ok(name) = known.policies.find(&at.value) else { continue };
        let wrong = match (catalogue.team_of(&name), known.team) {
            (Some(owner), Some(team)) if owner.name != team.name => Some((
                format!("the policy {name:?} belongs to the team {:?}", owner.name),
                "name a policy of your own; a filter that teams share is in the catalogue".to_owned(),
            )),
            (Some(owner), None) => outside(owner, route, known).map(|(key, area)| {
                (
                    format!("the policy {name:?} is of the team {:?}, whose requests these are not all", owner.name),
                    format!(
                        "restrict {key} of the route ({area}), or have {} changed",
                        says(catalogue, owner, "routes")
                    ),
                )
            }),
            (None, Some(team)) if !may_attach(team, &name) => Some((
                format!("the policy {name:?} is the platform's, and the team {:?} may not attach it", team.name),
                format!("name a policy of your own, or have it added to {}", says(catalogue, team, "attach")),
            )),
            _ => None,
        };
        wrong.into_iter().for_each(|(message, remedy)| report.at(at, message, remedy));
    }
}

/// A route that a team writes takes requests of that team, and sends them where the team may.
fn inside(catalogue: &Catalogue, team: &Team, table: &RouteTable, route: &Route, known: &Known<'_>, report: &Report) {
    if let Some((key, area)) = outside(team, route, known) {
        let at = At { value: (), key: format!("{}.{key}", table.place.key), line: table.place.line };
        let message = format!("the route takes requests that are not the team {:?}'s", team.name);
        let remedy = format!("restrict it to {area}, or have {} changed", says(catalogue, team, "routes"));
        report.at(&at, message, remedy);
    }
    for upstream in upstreams(route).into_iter().filter_map(|index| known.upstreams.get(index)) {
        if !team.upstreams.iter().any(|pattern| pattern.matches(&upstream.name)) {
            let message = format!("the team {:?} may not send to the upstream {:?}", team.name, upstream.name);
            let remedy = format!("name another one, or have it added to {}", says(catalogue, team, "upstreams"));
            report.at(&table.place, message, remedy);
        }
    }
}

/// Whether a policy of the platform may be on a team's routes. Required ones are anyway.
fn may_attach(team: &Team, name: &str) -> bool {
    let is_required =
        || team.require.iter().any(|required| matches!(names::find(required, [name].into_iter()), Meaning::One(_)));
    team.attach.iter().any(|pattern| pattern.matches(name)) || is_required()
}

/// Which key of a route leads beyond the requests of a team, and which those are.
fn outside(team: &Team, route: &Route, known: &Known<'_>) -> Option<(&'static str, String)> {
    match &team.area {
        None => Some(("path", "nothing: no requests are the team's".to_owned())),
        Some(area) => area.outside(route, known.listeners).map(|key| (key, area.describe())),
    }
}

fn upstreams(route: &Route) -> Vec<usize> {
    match &route.action {
        Action::Forward(Forward { to, mirror, .. }) => {
            let all = to.upstreams().into_iter().map(|(upstream, _)| upstream);
            all.chain(mirror.iter().map(|mirror| mirror.upstream)).collect()
        }
        Action::Redirect(_) | Action::Respond(_) => Vec::new(),
    }
}

fn says(catalogue: &Catalogue, team: &Team, key: &str) -> String {
    format!("{} of {}", team.key(key), catalogue.file.display())
}
