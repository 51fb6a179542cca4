//! What surrounds the policies of a case: the time, random numbers, secrets, rate limits. Nothing of it is the machine's, so a
//! case comes to the same whenever and wherever it is run.

use std::time::Duration;

use super::{callout::CalloutCase, content::bytes, policies::Chain, state::Seed};
use crate::config::{
    report::{At, Report},
    section::{Item, Section},
    units,
};

/// 2026-01-01T00:00:00Z: what time it is unless a case says so.
const NOW: Duration = Duration::from_secs(1_767_225_600);

/// How long a case may have the time go on at once.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

/// What there is around an exchange. What is not said stays as it was in the exchange before.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// What time it is when the exchange begins.
    pub now: Option<Now>,
    /// How much time has passed since the exchange before.
    pub after: Duration,
    /// Random numbers from here on.
    pub random: Option<RandomCase>,
    /// The secrets, all of them.
    pub secrets: Vec<(String, Vec<u8>)>,
    /// What every rate limit says; none if it says what it counts.
    pub limiter: Option<LimiterCase>,
    /// The callouts that are answered, all of them.
    pub callouts: Vec<CalloutCase>,
    /// What is put in stores before.
    pub stores: Vec<Seed>,
    /// Whether no store can be reached.
    pub outage: bool,
}

/// A clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the Unix epoch.
    pub at: Duration,
    /// How much it goes on each time a filter looks at it.
    pub step: Duration,
}

/// Random numbers that are always the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RandomCase {
    /// Those of a seed.
    Seed(u64),
    /// These bytes, again and again.
    Bytes(Vec<u8>),
}

/// The answer of a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterCase {
    /// Whether the request is within it.
    pub allowed: bool,
    /// How many more would be.
    pub remaining: u32,
    /// Until one is allowed.
    pub retry_after: Duration,
    /// Until the burst is whole again.
    pub reset_after: Duration,
}

impl Setting {
    /// What a case begins with.
    pub(super) fn first() -> Self {
        let now = Now { at: NOW, step: Duration::ZERO };
        Self { now: Some(now), random: Some(RandomCase::Seed(0)), ..Self::default() }
    }

    /// The setting of a further exchange of the same case: time goes on and what is stored stays.
    pub(super) fn going_on(self) -> Self {
        Self { now: None, random: None, after: Duration::ZERO, stores: Vec::new(), ..self }
    }

    /// The setting with what is said in a table.
    pub(super) fn with(mut self, section: &mut Section<'_>, chain: &Chain) -> Self {
        if let Some(item) = section.take("now") {
            self.now = read_now(item).or(self.now);
        }
        if let Some(item) = section.take("after") {
            self.after = item.duration(Duration::ZERO, LONGEST).unwrap_or_default();
        }
        if let Some(item) = section.take("random") {
            self.random = read_random(item).or(self.random);
        }
        if let Some(item) = section.take("limiter") {
            self.limiter = read_limiter(item);
        }
        for (name, item) in section.take("secrets").and_then(Item::section).map(Section::entries).unwrap_or_default() {
            self.read_secret(name, item, chain);
        }
        if let Some(item) = section.take("callouts") {
            let items = item.array().unwrap_or_default();
            self.callouts = items.into_iter().filter_map(|item| CalloutCase::read(item, chain)).collect();
        }
        self.stores.extend(Seed::read(section, chain));
        if let Some(outage) = section.take("outage").and_then(Item::boolean) {
            self.outage = outage.value;
        }
        self
    }

    fn read_secret(&mut self, name: String, item: Item<'_>, chain: &Chain) {
        let (report, place) = (item.report(), item.place());
        let granted = |name: &str| {
            chain.policies.iter().flat_map(|policy| &policy.grants.secrets).any(|granted| granted.name == name)
        };
        if !granted(&name) {
            let remedy = format!("write grants = {{ secrets = [{name:?}] }} at the top of the file");
            report.at(&place, "is granted to no policy", remedy);
        }
        let Some(value) = bytes(item) else { return };
        if value.is_empty() {
            report.at(&place, "is empty", "write what the secret is");
        }
        self.secrets.retain(|(known, _)| *known != name);
        self.secrets.push((name, value));
    }

    /// Reports secrets that policies are granted and that the case does not have.
    pub(super) fn check(&self, chain: &Chain, case: &At<()>, report: &Report) {
        for granted in chain.policies.iter().flat_map(|policy| &policy.grants.secrets) {
            if self.secrets.iter().all(|(known, _)| *known != granted.name) {
                let name = &granted.name;
                let remedy = format!("add secrets = {{ {name} = \"…\" }} to the case, or to [defaults]");
                report.at(case, format!("has no secret {name:?}, which a policy is granted"), remedy);
            }
        }
    }
}

/// `"2026-01-01T00:00:00Z"`, or `{ at = "…", step = "1ms" }`.
fn read_now(item: Item<'_>) -> Option<Now> {
    if !item.is_table() {
        return item.moment().map(|at| Now { at, step: Duration::ZERO });
    }
    let mut section = item.section()?;
    let at = section.need("at", "write a moment such as \"2026-01-01T00:00:00Z\"").and_then(Item::moment);
    let step = section.take("step").map(read_step).unwrap_or_default();
    section.finish();
    Some(Now { at: at?, step })
}

/// A duration, also in microseconds.
fn read_step(item: Item<'_>) -> Duration {
    let report: &Report = item.report();
    let wrong = || ("is not a duration".to_owned(), "write it like \"200us\", \"5ms\" or \"1s\"".to_owned());
    let read = item.string().and_then(|text| {
        let micros = text.value.strip_suffix("us").and_then(|micros| micros.trim().parse().ok());
        let read = micros.map(Duration::from_micros).or_else(|| units::parse_duration(&text.value));
        report.good(&text, read.ok_or_else(wrong))
    });
    read.unwrap_or_default()
}

/// A seed, or bytes.
fn read_random(item: Item<'_>) -> Option<RandomCase> {
    if item.is_number() {
        return item.count(0, usize::MAX).map(|seed| RandomCase::Seed(seed as u64));
    }
    let (report, place) = (item.report(), item.place());
    let given = bytes(item)?;
    if given.is_empty() {
        report.at(&place, "is empty", "write a number as seed, or bytes as in { hex = \"00ff\" }");
        return None;
    }
    Some(RandomCase::Bytes(given))
}

/// `false` for what the limits count themselves; a table for what they say instead.
fn read_limiter(item: Item<'_>) -> Option<LimiterCase> {
    let (report, place) = (item.report(), item.place());
    if item.is_boolean() {
        if item.boolean().is_some_and(|at| at.value) {
            report.at(&place, "is true", "write { allowed = false }, or false for what the limits count themselves");
        }
        return None;
    }
    let mut section = item.section()?;
    let allowed = section.need("allowed", "write allowed = false, or true").and_then(Item::boolean);
    let remaining = section.take("remaining").and_then(|item| item.count(0, u32::MAX as usize));
    let mut duration =
        |key| section.take(key).and_then(|item| item.duration(Duration::ZERO, LONGEST)).unwrap_or_default();
    let (retry_after, reset_after) = (duration("retry-after"), duration("reset-after"));
    section.finish();
    let remaining = remaining.and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    Some(LimiterCase { allowed: allowed?.value, remaining, retry_after, reset_after })
}
