//! How much a team may have (`quota`).

use std::time::Duration;

use serde_json::{Value, json};

use super::{Catalogue, Team};
use crate::config::{
    PolicyEntry, Problem,
    section::{Item, Section},
    units,
};

/// How much a team may have. What is not said is not bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    /// `policies`: how many.
    pub policies: Option<usize>,
    /// `routes`: how many.
    pub routes: Option<usize>,
    /// `memory`: bytes of `limits.memory` of all its policies together.
    pub memory: Option<u64>,
    /// `store`: bytes of `limits.store` of all its policies together.
    pub store: Option<u64>,
    /// `cpu`: the most that `limits.cpu` of a policy may be.
    pub cpu: Option<Duration>,
    /// `exchange-cpu`: the most that `limits.exchange-cpu` of a policy may be; it is bounded then.
    pub exchange_cpu: Option<Duration>,
    /// `tick-cpu`: the most that `limits.tick-cpu` of a policy may be.
    pub tick_cpu: Option<Duration>,
    /// `instances`: the most that `limits.instances` of a policy may be.
    pub instances: Option<usize>,
    /// `body`: the most that `limits.body` of a policy may be.
    pub body: Option<u64>,
}

/// How much of it a team has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Used {
    /// How many policies.
    policies: usize,
    /// How much memory.
    memory: u64,
    /// How much of stores.
    store: u64,
}

impl Quota {
    /// Reads the table.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        const MOST: u64 = 1 << 44;
        let (milli, second) = (Duration::from_millis(1), Duration::from_secs(1));
        let quota = Self {
            policies: section.take("policies").and_then(|item| item.count(0, 1_000_000)),
            routes: section.take("routes").and_then(|item| item.count(0, 1_000_000)),
            memory: section.take("memory").and_then(|item: Item<'_>| item.size(0, MOST)),
            store: section.take("store").and_then(|item| item.size(0, MOST)),
            cpu: section.take("cpu").and_then(|item| item.duration(milli, 10 * second)),
            exchange_cpu: section.take("exchange-cpu").and_then(|item| item.duration(milli, 60 * second)),
            tick_cpu: section.take("tick-cpu").and_then(|item| item.duration(milli, 10 * second)),
            instances: section.take("instances").and_then(|item| item.count(1, 1_000)),
            body: section.take("body").and_then(|item| item.size(1 << 10, 256 << 20)),
        };
        section.finish();
        quota
    }

    /// What of it is exceeded by the policies of a team.
    pub(super) fn exceeded(&self, catalogue: &Catalogue, team: &Team, entries: &[PolicyEntry]) -> Vec<Problem> {
        let used = Used::of(team, entries);
        let count = (used.policies.to_string(), self.policies.filter(|most| used.policies > *most));
        let sizes = [("memory", used.memory, self.memory), ("store", used.store, self.store)];
        let counted = count.1.map(|most| {
            let message = format!("the team {:?} has {} policies, and its quota is {most}", team.name, count.0);
            problem(catalogue, team, "policies", message, "remove one, or have its quota raised")
        });
        let sized = sizes.into_iter().filter_map(|(key, used, most)| {
            let (most, used) = (most.filter(|most| used > *most)?, units::show_size(used));
            let of = format!("limits.{key} of all policies of the team {:?} together is {used}", team.name);
            let message = format!("{of}, and its quota is {}", units::show_size(most));
            let remedy = format!("write a smaller limits.{key} in some of them, or have the quota raised");
            Some(problem(catalogue, team, key, message, &remedy))
        });
        counted.into_iter().chain(sized).collect()
    }

    /// What a team has of it, and what it may have.
    pub(super) fn usage(&self, team: &Team, entries: &[PolicyEntry], routes: usize) -> Value {
        let used = Used::of(team, entries);
        let duration = |most: Option<Duration>| most.map(units::show_duration);
        json!({
            "policies": { "used": used.policies, "most": self.policies },
            "routes": { "used": routes, "most": self.routes },
            "memory": { "used": used.memory, "most": self.memory },
            "store": { "used": used.store, "most": self.store },
            "cpu": duration(self.cpu),
            "exchange-cpu": duration(self.exchange_cpu),
            "tick-cpu": duration(self.tick_cpu),
            "instances": self.instances,
            "body": self.body,
        })
    }

    /// What is to be said if a team has more routes.
    pub(super) fn too_many_routes(&self, catalogue: &Catalogue, team: &Team, routes: usize) -> Option<Problem> {
        let most = self.routes.filter(|most| routes > *most)?;
        let message = format!("the team {:?} has {routes} routes, and its quota is {most}", team.name);
        Some(problem(catalogue, team, "routes", message, "remove one, or have its quota raised"))
    }
}

impl Used {
    /// Of a team.
    fn of(team: &Team, entries: &[PolicyEntry]) -> Self {
        let own = entries.iter().filter(|entry| team.owns(&entry.name));
        own.fold(Self::default(), |used, entry| {
            let limits = entry.policy.as_ref().ok().map(|policy| &policy.limits);
            Self {
                policies: used.policies + 1,
                memory: used.memory.saturating_add(limits.map_or(0, |limits| limits.memory)),
                store: used.store.saturating_add(limits.map_or(0, |limits| limits.store)),
            }
        })
    }
}

fn problem(catalogue: &Catalogue, team: &Team, key: &str, message: String, remedy: &str) -> Problem {
    let (key, line) = (team.key(&format!("quota.{key}")), team.place.line);
    Problem { file: catalogue.file.clone(), line, key: Some(key), message, remedy: remedy.to_owned() }
}
