//! What is in stores before an exchange, and which space a case means.

use std::time::Duration;

use super::{content::joined, expect::KeyLine, policies::Chain};
use crate::config::{
    report::At,
    section::{Item, Section},
};

/// How long an entry may be kept.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

/// A space, as one of the policies knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceOf {
    /// The index of the policy.
    pub policy: usize,
    /// The name that its filter gives it; empty for its own.
    pub name: String,
}

/// What is put in a space under a key.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The space.
    pub space: SpaceOf,
    /// The key.
    pub key: String,
    /// What.
    pub entry: Entry,
    /// Where that is said.
    pub at: KeyLine,
}

/// An entry of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// None any more.
    Removed,
    /// A value, for so long; zero is for good.
    Value(Vec<u8>, Duration),
    /// Somebody else's lease, for so long.
    Lease(Duration),
}

impl Seed {
    /// Reads `store` and `stores`.
    pub(super) fn read(section: &mut Section<'_>, chain: &Chain) -> Vec<Self> {
        let seed = |(space, key, item): (SpaceOf, String, Item<'_>)| {
            let At { key: name, line, .. } = item.place();
            Some(Self { space, key, entry: read_entry(item)?, at: (name, line) })
        };
        entries(section, chain).into_iter().filter_map(seed).collect()
    }
}

/// The entries of `store`, a policy's own space, and of `stores`, those with a name.
pub(super) fn entries<'a>(section: &mut Section<'a>, chain: &Chain) -> Vec<(SpaceOf, String, Item<'a>)> {
    let mut found = Vec::new();
    let mut add = |space: SpaceOf, item: Item<'a>| {
        for (key, item) in item.section().map(Section::entries).unwrap_or_default() {
            found.push((space.clone(), key, item));
        }
    };
    if let Some(item) = section.take("store") {
        match chain.own_space() {
            Some(policy) => add(SpaceOf { policy, name: String::new() }, item),
            None => {
                let remedy = "write stores = { \"policy/NAME\" = { … } } for the space of one policy of the chain";
                item.report().at(&item.place(), "could be that of any policy", remedy);
            }
        }
    }
    for (name, item) in section.take("stores").and_then(Item::section).map(Section::entries).unwrap_or_default() {
        match chain.space(&name) {
            Some((policy, name)) => add(SpaceOf { policy, name }, item),
            None => {
                let remedy = format!("write grants = {{ store = [{name:?}] }} for the policy that uses it");
                item.report().at(&item.place(), "is granted to no policy", remedy);
            }
        }
    }
    found
}

/// A value, `{ value, ttl }`, `{ lease }`, or `false` for nothing.
fn read_entry(item: Item<'_>) -> Option<Entry> {
    let (report, place) = (item.report(), item.place());
    if item.is_boolean() {
        if item.boolean().is_some_and(|at| at.value) {
            report.at(&place, "is true, which is no value", "write text, or false for nothing under that key");
        }
        return Some(Entry::Removed);
    }
    if item.is_number() {
        return item.number_or_string("").map(|text| Entry::Value(text.into_bytes(), Duration::ZERO));
    }
    if !item.has("value") && !item.has("lease") {
        return joined(item).map(|value| Entry::Value(value, Duration::ZERO));
    }
    let mut section = item.section()?;
    let value = section.take("value");
    let (ttl, lease) = (section.take("ttl"), section.take("lease"));
    section.finish();
    let milli = Duration::from_millis(1);
    match (value, lease) {
        (Some(value), None) => {
            let ttl = ttl.map_or(Some(Duration::ZERO), |item| item.duration(milli, LONGEST))?;
            let value = match value.is_number() {
                true => value.number_or_string("").map(String::into_bytes),
                false => joined(value),
            };
            value.map(|value| Entry::Value(value, ttl))
        }
        (None, Some(lease)) if ttl.is_none() => lease.duration(milli, LONGEST).map(Entry::Lease),
        _ => {
            report.at(&place, "is no entry", "write { value = \"…\", ttl = \"10s\" }, or { lease = \"10s\" }");
            None
        }
    }
}
