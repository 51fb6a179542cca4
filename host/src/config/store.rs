//! `[stores.NAME]`: where policies keep state that they share.

use std::path::Path;

use super::{
    Redis,
    redis::RedisTable,
    report::{At, Report},
    section::{Item, Section},
};

/// What a space may hold unless something else is said.
pub(super) const SIZE: u64 = 16 << 20;

/// A store that policies can be granted.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// Its name.
    pub name: String,
    /// `size`: how many bytes it may hold in this process.
    pub size: u64,
    /// `redis`: the server that it is on; without one it is in this process.
    pub redis: Option<Redis>,
    /// `on-outage`: what becomes of it while the server does not answer.
    pub on_outage: OnOutage,
}

/// What is done while a server does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnOutage {
    /// `"fail"`: filters are told.
    Fail,
    /// `"local"`: this process answers for itself.
    Local,
}

impl Store {
    /// A store of that name in this process, with the defaults.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), size: SIZE, redis: None, on_outage: OnOutage::Fail }
    }
}

/// As written.
#[derive(Debug)]
pub(super) struct StoreTable {
    name: At<String>,
    size: u64,
    redis: Option<RedisTable>,
    on_outage: Option<At<OnOutage>>,
}

impl StoreTable {
    pub(super) fn read(name: At<String>, mut section: Section<'_>) -> Self {
        check_name(&name, section.report());
        let table = Self {
            name,
            size: read_size(&mut section, "size"),
            redis: section.take("redis").and_then(Item::section).map(RedisTable::read),
            on_outage: section.take("on-outage").and_then(read_outage),
        };
        section.finish();
        table
    }

    pub(super) fn check(self, folder: &Path, report: &Report) -> Store {
        let place = format!("{}.redis", self.name.key);
        match &self.on_outage {
            Some(at) if self.redis.is_none() && !report.has(&place) => {
                report.at(
                    at,
                    "is about a server, which this store is without",
                    "add redis = { address = \"…\" }, or remove it",
                );
            }
            None if self.redis.is_some() => {
                let remedy = "add on-outage = \"fail\", or \"local\" if each gateway may go on by itself";
                report.key(&format!("{}.on-outage", self.name.key), self.name.line, "is missing", remedy);
            }
            _ => {}
        }
        Store {
            name: self.name.value,
            size: self.size,
            redis: self.redis.and_then(|table| table.check(folder, report)),
            on_outage: self.on_outage.map_or(OnOutage::Fail, |at| at.value),
        }
    }
}

fn read_outage(item: Item<'_>) -> Option<At<OnOutage>> {
    let report = item.report();
    let at = item.string()?;
    let action = match at.value.as_str() {
        "fail" => OnOutage::Fail,
        "local" => OnOutage::Local,
        other => {
            report.at(&at, format!("{other:?} is not known"), "write \"fail\" or \"local\"");
            return None;
        }
    };
    Some(at.map(|_| action))
}

/// The bound of a space.
pub(super) fn read_size(section: &mut Section<'_>, key: &'static str) -> u64 {
    section.take(key).and_then(|item| item.size(64 << 10, 64 << 30)).unwrap_or(SIZE)
}

/// Without a name it could not be told from a policy's own space, and a slash is in the names that metrics give those.
fn check_name(name: &At<String>, report: &Report) {
    if name.value.is_empty() || name.value.contains('/') {
        report.at(name, "is no name of a store", "write a name without slashes: [stores.NAME]");
    }
}
