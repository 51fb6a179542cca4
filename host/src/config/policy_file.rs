//! A policy as written: the table of a policy file, or `[policies.NAME]` of the config file.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    Capture, FilterSource, Grant, Grants, Isolation, Lines, OnFault, Place, Policy, PolicyLimits, Quarantine, Trial,
    capture, grants, on_fault, quarantine,
    report::{At, Report},
    section::{Item, Section, join},
    store, trial,
};

/// How often tags are looked at unless something else is said.
const EVERY: Duration = Duration::from_secs(300);

/// A policy as written. Its limits are checked already, its filter is not looked up yet.
#[derive(Debug, Default)]
pub(super) struct PolicyTable {
    /// `filter`.
    pub(super) filter: Option<At<String>>,
    every: Option<At<Duration>>,
    sha256: Option<At<String>>,
    config: Option<(At<Value>, Lines)>,
    on_fault: OnFault,
    isolation: Isolation,
    quarantine: Option<Quarantine>,
    grants: Option<At<Grants>>,
    written_grants: Value,
    written: Value,
    store: Option<Grant>,
    limits: PolicyLimits,
    capture: Option<Capture>,
    /// Nothing where it is not written.
    trial: Option<Option<Trial>>,
}

impl PolicyTable {
    /// Reads all keys and reports what is wrong with them.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let written = section.written().unwrap_or_default();
        let table = Self { written, ..Self::take(&mut section) };
        section.finish();
        table
    }

    /// Reads its keys of a table that has others.
    pub(super) fn take(section: &mut Section<'_>) -> Self {
        let grants = section.take("grants");
        let written = grants.as_ref().and_then(Item::written);
        Self {
            filter: section.take("filter").and_then(Item::string),
            every: section.take("every").and_then(read_every),
            sha256: section.take("sha256").and_then(read_digest),
            config: section.take("config").and_then(Item::json),
            on_fault: section.take("on-fault").and_then(on_fault::read).unwrap_or_default(),
            isolation: section.take("isolation").and_then(read_isolation).unwrap_or_default(),
            quarantine: section.take("quarantine").and_then(Item::section).and_then(quarantine::read),
            written_grants: written.unwrap_or(Value::Null),
            written: Value::Null,
            grants: grants.and_then(read_grants),
            store: section.take("store").and_then(grants::read_one),
            limits: section.take("limits").and_then(Item::section).map(read_limits).unwrap_or_default(),
            capture: section.take("capture").and_then(Item::section).and_then(capture::read),
            trial: section.take("trial").and_then(trial::read),
        }
    }

    /// Whether `every` makes sense with that filter.
    pub(super) fn check_every(&self, filter: Option<&FilterSource>, report: &Report) {
        let follows =
            filter.is_none_or(|filter| filter.reference().is_some_and(|it| it.moves() && it.path().is_none()));
        if let Some(every) = self.every.as_ref().filter(|_| !follows) {
            let message = "is about a tag in a registry that is followed, which this filter is not";
            report.at(every, message, "remove it, or write filter = \"oci://HOST/REPOSITORY:TAG\" without a digest");
        }
    }

    /// The policy with its filter. `place` is where the policy is written, in case that it has no `config`.
    pub(super) fn build(self, name: String, filter: FilterSource, place: Place) -> Policy {
        let (grants, grants_place) = match self.grants {
            Some(At { value, key, line }) => {
                (value, Place { file: place.file.clone(), line: Some(line), key: Some(key) })
            }
            None => (Grants::default(), absent_grants(&place)),
        };
        let (config, lines, place) = match self.config {
            Some((At { value, key, line }, lines)) => {
                (value, lines, Place { file: place.file, line: Some(line), key: Some(key) })
            }
            None => (Value::Object(Map::new()), Lines::default(), place),
        };
        let sha256 = self.sha256.map(|at| {
            let At { value, key, line } = at;
            (value, Place { file: place.file.clone(), line: Some(line), key: Some(key) })
        });
        Policy {
            name,
            filter,
            every: self.every.map_or(EVERY, |at| at.value),
            sha256,
            version: None,
            config,
            lines,
            on_fault: self.on_fault,
            isolation: self.isolation,
            quarantine: self.quarantine,
            grants,
            grants_place,
            written_grants: self.written_grants,
            written: self.written,
            store: self.store,
            limits: self.limits,
            capture: self.capture,
            trial: self.trial.unwrap_or_else(|| Some(Trial::default())),
            place,
        }
    }
}

fn read_every(item: Item<'_>) -> Option<At<Duration>> {
    let place = item.place();
    let every = item.duration(Duration::from_secs(1), Duration::from_secs(24 * 60 * 60))?;
    Some(place.map(|()| every))
}

fn read_grants(item: Item<'_>) -> Option<At<Grants>> {
    let place = item.place();
    let grants = grants::read(item.section()?);
    Some(place.map(|()| grants))
}

/// Where grants would be written in a policy that has none: at the key of its table, or beside `config` in a file of its own.
fn absent_grants(policy: &Place) -> Place {
    let key = policy.key.as_deref().map(|key| match key {
        "config" => "grants".to_owned(),
        table => join(table, "grants"),
    });
    let line = policy.line.filter(|_| key.as_deref() != Some("grants"));
    Place { file: policy.file.clone(), line, key }
}

/// The SHA-256 digest of a module, as `sha256sum` and `/policies` write it.
pub(super) fn read_digest(item: Item<'_>) -> Option<At<String>> {
    let report: &Report = item.report();
    let text = item.string()?;
    let digits = text.value.strip_prefix("sha256:").unwrap_or(&text.value).to_ascii_lowercase();
    if digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Some(text.map(|_| digits));
    }
    report.at(&text, "is no SHA-256 digest", "write the 64 digits that sha256sum prints");
    None
}

fn read_isolation(item: Item<'_>) -> Option<Isolation> {
    let report: &Report = item.report();
    let text = item.string()?;
    match text.value.as_str() {
        "shared" => Some(Isolation::Shared),
        "exchange" => Some(Isolation::Exchange),
        other => {
            report.at(&text, format!("{other:?} is not known"), "write \"shared\" or \"exchange\"");
            None
        }
    }
}

fn read_limits(mut section: Section<'_>) -> PolicyLimits {
    let defaults = PolicyLimits::default();
    let (milli, second) = (Duration::from_millis(1), Duration::from_secs(1));
    let limits = PolicyLimits {
        cpu: section.take("cpu").and_then(|item| item.duration(milli, 10 * second)).unwrap_or(defaults.cpu),
        memory: section.take("memory").and_then(|item| item.size(64 << 10, 1 << 30)).unwrap_or(defaults.memory),
        exchange_cpu: section.take("exchange-cpu").and_then(|item| item.duration(milli, 60 * second)),
        exchanges: section.take("exchanges").and_then(|item| item.count(1, 1_000_000_000)),
        body: section.take("body").and_then(|item| item.size(1 << 10, 256 << 20)).unwrap_or(defaults.body),
        recycle: section.take("recycle").and_then(|item| item.count(1, u32::MAX as usize)).map(|count| count as u64),
        configure: section
            .take("configure")
            .and_then(|item| item.duration(milli, 60 * second))
            .unwrap_or(defaults.configure),
        store: store::read_size(&mut section, "store"),
        instances: section.take("instances").and_then(|item| item.count(1, 1_000)).unwrap_or(defaults.instances),
        callouts: section.take("callouts").and_then(|item| item.count(0, 1_000)).unwrap_or(defaults.callouts),
        callout_timeout: section
            .take("callout-timeout")
            .and_then(|item| item.duration(milli, 60 * second))
            .unwrap_or(defaults.callout_timeout),
        callout_body: section
            .take("callout-body")
            .and_then(|item| item.size(0, 16 << 20))
            .unwrap_or(defaults.callout_body),
        tick_cpu: section
            .take("tick-cpu")
            .and_then(|item| item.duration(milli, 10 * second))
            .unwrap_or(defaults.tick_cpu),
        tick_timeout: section
            .take("tick-timeout")
            .and_then(|item| item.duration(milli, 600 * second))
            .unwrap_or(defaults.tick_timeout),
    };
    section.finish();
    limits
}
