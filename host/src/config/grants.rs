//! What the filter of a policy may do beyond looking at ordinary messages. A key that is not written has its default; what
//! that is depends on where the filter comes from.

use http::HeaderName;

use super::{
    Place, PolicyEntry, Problem, Store, Upstream, names,
    report::{At, Report},
    section::{Item, Section},
};

/// What a policy is granted, as far as it is written (`grants`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grants {
    /// `callouts`: the upstreams that it may send requests of its own to.
    pub callouts: Vec<Grant>,
    /// `clock`: what time it is.
    pub clock: Option<bool>,
    /// `random`: random numbers.
    pub random: Option<bool>,
    /// `secrets`: the secrets that the filter may see.
    pub secrets: Vec<Grant>,
    /// `read`: the header fields that it may see.
    pub read: Option<Vec<FieldPattern>>,
    /// `write`: the header fields that it may change.
    pub write: Option<Vec<FieldPattern>>,
    /// `body`: bodies and trailers.
    pub body: Option<bool>,
    /// `store`: the stores whose space it shares with other policies.
    pub stores: Vec<StoreGrant>,
}

/// Header fields by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldPattern {
    /// `"*"`, or with a beginning before the star.
    Beginning(String),
    /// One name.
    Name(HeaderName),
}

/// Something that is granted by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The name.
    pub name: String,
    /// Where it is written.
    pub place: Place,
}

/// A shared space.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreGrant {
    /// The store.
    pub store: Grant,
    /// Whether the policy may change it.
    pub writable: bool,
}

/// Reads the table.
pub(super) fn read(mut section: Section<'_>) -> Grants {
    let report = section.report();
    let callouts = section.take("callouts").and_then(|item| item.strings("name upstreams, or leave it out"));
    let stores = section.take("store").and_then(Item::array).unwrap_or_default();
    let grants = Grants {
        callouts: callouts.unwrap_or_default().into_iter().map(|at| grant(at, report)).collect(),
        clock: flag(&mut section, "clock"),
        random: flag(&mut section, "random"),
        secrets: section.take("secrets").and_then(Item::array).map(names).unwrap_or_default(),
        read: section.take("read").and_then(Item::array).map(patterns),
        write: section.take("write").and_then(Item::array).map(patterns),
        body: flag(&mut section, "body"),
        stores: stores.into_iter().filter_map(read_store).collect(),
    };
    section.finish();
    grants
}

fn flag(section: &mut Section<'_>, key: &'static str) -> Option<bool> {
    section.take(key).and_then(Item::boolean).map(|at| at.value)
}

fn names(items: Vec<Item<'_>>) -> Vec<Grant> {
    let name = |item: Item<'_>| {
        let report = item.report();
        Some(grant(item.string()?, report))
    };
    items.into_iter().filter_map(name).collect()
}

fn patterns(items: Vec<Item<'_>>) -> Vec<FieldPattern> {
    let pattern = |item: Item<'_>| {
        let report: &Report = item.report();
        let at = item.string()?;
        let parsed = parse(&at.value);
        if parsed.is_none() {
            let message = format!("{:?} is not the name of a header field", at.value);
            report.at(&at, message, "write a name such as \"x-user\", a beginning such as \"x-*\", or \"*\"");
        }
        parsed
    };
    items.into_iter().filter_map(pattern).collect()
}

fn parse(text: &str) -> Option<FieldPattern> {
    // A star may be a part of a name (RFC 9110, section 5.6.2), but nobody means that here.
    let name = |text: &str| HeaderName::from_bytes(text.as_bytes()).ok().filter(|_| !text.contains('*'));
    match text.strip_suffix('*') {
        Some("") => Some(FieldPattern::Beginning(String::new())),
        Some(beginning) => name(beginning).map(|name| FieldPattern::Beginning(name.as_str().to_owned())),
        None => name(text).map(FieldPattern::Name),
    }
}

/// `"NAME"`, or `{ name = "NAME", access = "read" }`.
fn read_store(item: Item<'_>) -> Option<StoreGrant> {
    let report = item.report();
    if item.is_string() {
        return Some(StoreGrant { store: grant(item.string()?, report), writable: true });
    }
    let mut section = item.section()?;
    let name = section.need("name", "write the name of a store").and_then(Item::string);
    let writable = section.take("access").map_or(Some(true), read_access);
    section.finish();
    Some(StoreGrant { store: grant(name?, report), writable: writable? })
}

/// A single name.
pub(super) fn read_one(item: Item<'_>) -> Option<Grant> {
    let report = item.report();
    Some(grant(item.string()?, report))
}

fn read_access(item: Item<'_>) -> Option<bool> {
    let report = item.report();
    let access = item.string()?;
    match access.value.as_str() {
        "read" => Some(false),
        "write" => Some(true),
        other => {
            report.at(&access, format!("{other:?} is not known"), "write \"read\" or \"write\", which is both");
            None
        }
    }
}

fn grant(At { value, key, line }: At<String>, report: &Report) -> Grant {
    Grant { name: value, place: Place { file: report.file().to_owned(), line: Some(line), key: Some(key) } }
}

/// Looks for grants of what there is not. A problem of a policy of the directory stays with it.
pub(super) fn check(entries: &mut [PolicyEntry], upstreams: &[Upstream], stores: &[Store], report: &Report) {
    for entry in entries {
        let Ok(policy) = &entry.policy else { continue };
        let mut problems = callout_problems(&policy.grants.callouts, upstreams);
        problems.extend(store_problems(&policy.grants.stores, stores));
        problems.extend(policy.store.iter().filter_map(|own| own_problem(own, stores)));
        if problems.is_empty() {
            continue;
        }
        match entry.from_dir {
            true => entry.policy = Err(problems),
            false => problems.into_iter().for_each(|problem| report.add(problem)),
        }
    }
}

fn callout_problems(granted: &[Grant], upstreams: &[Upstream]) -> Vec<Problem> {
    let known = upstreams.iter().map(|upstream| upstream.name.as_str());
    let unknown = granted.iter().filter(|grant| known.clone().all(|known| known != grant.name));
    let problem = |Grant { name, place }: &Grant| {
        let Place { file, line, key } = place.clone();
        let remedy = names::suggest(name, "upstreams", known.clone());
        Problem { file, line, key, message: format!("there is no upstream {name:?}"), remedy }
    };
    unknown.map(problem).collect()
}

fn store_problems(granted: &[StoreGrant], stores: &[Store]) -> Vec<Problem> {
    let known = stores.iter().map(|store| store.name.as_str());
    let problem = |(index, StoreGrant { store: Grant { name, place }, .. }): (usize, &StoreGrant)| {
        let (message, remedy) = if known.clone().all(|known| known != name) {
            (format!("there is no store {name:?}"), add_store(name, known.clone()))
        } else if granted[..index].iter().any(|earlier| earlier.store.name == *name) {
            (format!("grants {name:?} twice"), "remove one of the two".to_owned())
        } else {
            return None;
        };
        let Place { file, line, key } = place.clone();
        Some(Problem { file, line, key, message, remedy })
    };
    granted.iter().enumerate().filter_map(problem).collect()
}

/// What is wrong with the store of a policy's own.
fn own_problem(Grant { name, place }: &Grant, stores: &[Store]) -> Option<Problem> {
    let (message, remedy) = match stores.iter().find(|store| store.name == *name) {
        Some(store) if store.redis.is_some() => return None,
        Some(_) => (
            format!("{name:?} is in this process, as is what a policy has of its own"),
            "name a store with redis = { … }, or remove the key; grants.store is for what policies share".to_owned(),
        ),
        None => {
            (format!("there is no store {name:?}"), add_store(name, stores.iter().map(|store| store.name.as_str())))
        }
    };
    let Place { file, line, key } = place.clone();
    Some(Problem { file, line, key, message, remedy })
}

fn add_store<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    format!("add [stores.{name}] to the config file; {}", names::suggest(name, "stores", known))
}
