//! Holds one policy to what its team may have.

use std::path::{Component, Path, PathBuf};

use super::{Catalogue, NamePattern, Team};
use crate::config::{FieldPattern, FilterSource, Grant, Place, PlacePattern, Policy, Problem, section::join, units};
use crate::oci::plain_path;

/// Fields that no star means.
const CREDENTIALS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// Problems of a policy, with what to say about each.
struct Bounds<'a> {
    catalogue: &'a Catalogue,
    team: &'a Team,
    grants_place: Place,
    is_bundled: bool,
    problems: Vec<Problem>,
}

/// What a policy says beyond what its team may have. What it does not say is brought down to that.
pub(super) fn hold(catalogue: &Catalogue, team: &Team, policy: &mut Policy) -> Vec<Problem> {
    let is_bundled = matches!(policy.filter, FilterSource::Bundled { .. });
    let mut bounds =
        Bounds { catalogue, team, grants_place: policy.grants_place.clone(), is_bundled, problems: Vec::new() };
    bounds.source(policy);
    bounds.named(policy);
    bounds.switches(policy);
    let (read, write) = (&team.grants.read, &team.grants.write);
    bounds.fields("read", read.as_deref(), &mut policy.grants.read);
    bounds.fields("write", write.as_deref(), &mut policy.grants.write);
    bounds.limits(policy);
    bounds.captures(policy);
    bounds.problems
}

impl Bounds<'_> {
    /// Where its module comes from, if that is a registry or a bundle and not a filter of the catalogue.
    fn source(&mut self, policy: &Policy) {
        let Some(reference) = policy.filter.reference() else { return };
        let is_shared = self.catalogue.filters.iter().any(|filter| filter.source.is(&policy.filter));
        if is_shared || self.team.registries.iter().any(|pattern| pattern.encloses(&reference.place)) {
            return;
        }
        let message = format!("the team {:?} may have no modules from {}", self.team.name, reference.place);
        let may: Vec<_> = self.team.registries.iter().map(PlacePattern::text).collect();
        let may = if may.is_empty() { String::new() } else { format!("name one from {}, or ", may.join(", ")) };
        let remedy = format!("{may}name a filter of the catalogue, or have it added to {}", self.says("registries"));
        self.problems.push(policy.source_problem(message, remedy));
    }

    /// Grants of names: upstreams, secrets, stores.
    fn named(&mut self, policy: &Policy) {
        let (grants, most) = (&policy.grants, &self.team.grants);
        let allowed = |most: &[Grant], name: &str| most.iter().any(|most| matches(&most.name, name));
        let lists = [("callouts", &grants.callouts, &most.callouts), ("secrets", &grants.secrets, &most.secrets)];
        for (key, granted, most) in lists {
            for grant in granted.iter().filter(|grant| !allowed(most, &grant.name)) {
                self.beyond(&grant.place, key, &format!("{:?}", grant.name));
            }
        }
        let may = |name: &str, writable: bool| {
            most.stores.iter().any(|most| matches(&most.store.name, name) && (most.writable || !writable))
        };
        for grant in grants.stores.iter().filter(|grant| !may(&grant.store.name, grant.writable)) {
            let access = if grant.writable { "write" } else { "read" };
            self.beyond(
                &grant.store.place,
                "store",
                &format!("{{ name = {:?}, access = {access:?} }}", grant.store.name),
            );
        }
        if let Some(own) = policy.store.as_ref().filter(|own| !may(&own.name, true)) {
            self.beyond(&own.place, "store", &format!("{:?}", own.name));
        }
    }

    /// Grants that are there or not.
    fn switches(&mut self, policy: &mut Policy) {
        let (grants, most) = (&mut policy.grants, &self.team.grants);
        let is_bundled = self.is_bundled;
        let switches = [
            ("clock", &mut grants.clock, most.clock, is_bundled),
            ("random", &mut grants.random, most.random, is_bundled),
            ("body", &mut grants.body, most.body, true),
        ];
        for (key, granted, most, default) in switches {
            let may = most.unwrap_or(default);
            match granted {
                Some(true) if !may => {
                    let place = self.place_of(key);
                    self.beyond(&place, key, "true");
                }
                None if !may => *granted = Some(false),
                _ => {}
            }
        }
    }

    /// Grants of header fields.
    fn fields(&mut self, key: &str, most: Option<&[FieldPattern]>, granted: &mut Option<Vec<FieldPattern>>) {
        let ordinary = [FieldPattern::Beginning(String::new())];
        let most = match most {
            None if self.is_bundled => return,
            None => &ordinary,
            Some(most) => most,
        };
        match granted {
            Some(granted) => {
                for pattern in granted.iter().filter(|pattern| !most.iter().any(|most| covers(most, pattern))) {
                    let place = self.place_of(key);
                    self.beyond(&place, key, &format!("{:?}", text(pattern)));
                }
            }
            // All ordinary fields, or all that the configuration names, whichever the filter is.
            None if !self.is_bundled && most.contains(&ordinary[0]) => {}
            None => {
                let is_default = |pattern: &&FieldPattern| self.is_bundled || !is_credential(pattern);
                *granted = Some(most.iter().filter(is_default).cloned().collect());
            }
        }
    }

    /// Limits: what is written beyond the quota, or else brought down to it.
    fn limits(&mut self, policy: &mut Policy) {
        let written = policy.written.get("limits").cloned().unwrap_or_default();
        let (quota, limits) = (&self.team.quota, &mut policy.limits);
        let mut beyond = Vec::new();
        let mut bound = |key: &'static str, is_more: bool, most: String, bring_down: &mut dyn FnMut()| match is_more {
            true if written.get(key).is_some() => beyond.push((key, most)),
            true => bring_down(),
            false => {}
        };
        if let Some(most) = quota.cpu {
            bound("cpu", limits.cpu > most, units::show_duration(most), &mut || limits.cpu = most);
        }
        if let Some(most) = quota.exchange_cpu {
            let is_more = limits.exchange_cpu.is_none_or(|cpu| cpu > most);
            bound("exchange-cpu", is_more, units::show_duration(most), &mut || limits.exchange_cpu = Some(most));
        }
        if let Some(most) = quota.tick_cpu {
            bound("tick-cpu", limits.tick_cpu > most, units::show_duration(most), &mut || limits.tick_cpu = most);
        }
        if let Some(most) = quota.body {
            bound("body", limits.body > most, units::show_size(most), &mut || limits.body = most);
        }
        if let Some(most) = quota.instances {
            bound("instances", limits.instances > most, most.to_string(), &mut || limits.instances = most);
        }
        for (key, most) in beyond {
            let message = format!("limits.{key} is more than the {most} that the team {:?} may have", self.team.name);
            let remedy = format!("write {most} or less, or have {} raised", self.says(&format!("quota.{key}")));
            let key = Some(beside(&self.grants_place, &format!("limits.{key}")));
            self.problems.push(Problem { file: self.grants_place.file.clone(), line: None, key, message, remedy });
        }
    }

    fn captures(&mut self, policy: &Policy) {
        let Some(capture) = &policy.capture else { return };
        let is_plain = |path: &Path| !path.components().any(|part| part == Component::ParentDir);
        let below = |folder: &Path| {
            capture.directory.strip_prefix(folder).is_ok_and(is_plain)
                || absolute(&capture.directory).strip_prefix(absolute(folder)).is_ok_and(is_plain)
        };
        if self.team.captures.as_deref().is_some_and(below) {
            return;
        }
        let (message, remedy) = match &self.team.captures {
            None => (
                format!("the team {:?} may not capture faults", self.team.name),
                format!("remove it, or have {} = \"FOLDER\" added", self.says("captures")),
            ),
            Some(folder) => (
                format!("is not below {}, where the team {:?} may capture faults", folder.display(), self.team.name),
                "name a folder below that".to_owned(),
            ),
        };
        let key = Some(beside(&self.grants_place, "capture.directory"));
        self.problems.push(Problem { file: self.grants_place.file.clone(), line: None, key, message, remedy });
    }

    /// Something that is granted and may not be.
    fn beyond(&mut self, place: &Place, key: &str, value: &str) {
        let Place { file, line, key: at } = place.clone();
        let message = format!("the team {:?} may not grant {key} = {value}", self.team.name);
        let remedy = format!("remove it, or have it added to {}", self.says(&format!("grants.{key}")));
        self.problems.push(Problem { file, line, key: at, message, remedy });
    }

    fn place_of(&self, key: &str) -> Place {
        let Place { file, line, key: grants } = self.grants_place.clone();
        Place { file, line, key: Some(join(grants.as_deref().unwrap_or("grants"), key)) }
    }

    /// A key of the team, for people.
    fn says(&self, key: &str) -> String {
        format!("{} of {}", self.team.key(key), self.catalogue.file.display())
    }
}

/// A key of the policy, of which the place of its grants is known.
fn beside(grants: &Place, key: &str) -> String {
    let table = grants.key.as_deref().and_then(|grants| grants.strip_suffix(".grants"));
    table.map_or_else(|| key.to_owned(), |table| format!("{table}.{key}"))
}

fn absolute(path: &Path) -> PathBuf {
    plain_path(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

fn matches(pattern: &str, name: &str) -> bool {
    NamePattern::parse(pattern).is_ok_and(|pattern| pattern.matches(name))
}

fn covers(most: &FieldPattern, granted: &FieldPattern) -> bool {
    match (most, granted) {
        (FieldPattern::Name(most), FieldPattern::Name(name)) => most == name,
        (FieldPattern::Name(_), FieldPattern::Beginning(_)) => false,
        (FieldPattern::Beginning(most), FieldPattern::Name(name)) => {
            name.as_str().starts_with(most.as_str()) && !is_credential(granted)
        }
        (FieldPattern::Beginning(most), FieldPattern::Beginning(beginning)) => beginning.starts_with(most.as_str()),
    }
}

fn is_credential(pattern: &FieldPattern) -> bool {
    matches!(pattern, FieldPattern::Name(name) if CREDENTIALS.contains(&name.as_str()))
}

fn text(pattern: &FieldPattern) -> String {
    match pattern {
        FieldPattern::Name(name) => name.as_str().to_owned(),
        FieldPattern::Beginning(beginning) => format!("{beginning}*"),
    }
}
