//! `trial` of a policy: how a new version of it comes to serve, and what makes the one before it serve again.

use std::time::Duration;

use http::HeaderName;

use super::{
    Share,
    action::sticky,
    report::At,
    section::{Item, Section},
};
use crate::route::Sticky;

/// How a new version is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Which exchanges get it meanwhile.
    pub mode: TrialMode,
    /// What makes the version before it serve again.
    pub rules: TrialRules,
}

/// Which exchanges get a version that is on trial.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialMode {
    /// `"immediate"`: all of them, and it is watched for that long.
    Immediate(Duration),
    /// `"canary"`: some of them, more and more.
    Canary(Canary),
    /// `"shadow"`: none, but some are shown to it, and what it would have done is compared.
    Shadow(Canary),
}

/// Whose exchanges a canary gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// `steps`: one share after the other, at least one.
    pub steps: Vec<Share>,
    /// `every`: how long each takes at least.
    pub every: Duration,
    /// `sticky`: what makes exchanges get the same version again.
    pub sticky: Sticky,
    /// `only`: a field with that value, which exchanges must have to be among them.
    pub only: Option<(HeaderName, String)>,
}

/// What is too bad. A share of 1 is never reached: it turns the rule off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialRules {
    /// `exchanges`: how many of both versions there have to be before shares are looked at.
    pub exchanges: u64,
    /// `first`: so many exchanges at the very start that have all faulted are enough.
    pub first: u64,
    /// `faults`: the share of exchanges that fault.
    pub faults: Share,
    /// `deadlines`: the share of those that take too long.
    pub deadlines: Share,
    /// `server-errors`: by how much the share of 5xx replies may exceed that of the older version.
    pub server_errors: Share,
    /// `client-errors`: by how much the share of 4xx replies may.
    pub client_errors: Share,
    /// `added-mean`: by how much the CPU time of its hooks for an exchange may, on average.
    pub added_mean: Duration,
    /// `added-p99`: by how much the 99th percentile of it may.
    pub added_p99: Duration,
}

impl Default for TrialRules {
    fn default() -> Self {
        Self {
            exchanges: 20,
            first: 5,
            faults: Share::per_mille(50),
            deadlines: Share::per_mille(20),
            server_errors: Share::per_mille(50),
            client_errors: Share::per_mille(200),
            added_mean: Duration::from_millis(1),
            added_p99: Duration::from_millis(5),
        }
    }
}

impl Default for Trial {
    fn default() -> Self {
        Self { mode: TrialMode::Immediate(WATCH), rules: TrialRules::default() }
    }
}

/// How long a version is watched where nothing else is said.
const WATCH: Duration = Duration::from_secs(30);

/// `false`, or a table. Nothing if what is written is wrong.
pub(super) fn read(item: Item<'_>) -> Option<Option<Trial>> {
    let report = item.report();
    if !item.is_boolean() {
        return read_table(item.section()?).map(Some);
    }
    let at = item.boolean()?;
    if at.value {
        report.at(&at, "is true", "leave it out to have new versions watched, or write a table");
    }
    (!at.value).then_some(None)
}

fn read_table(mut section: Section<'_>) -> Option<Trial> {
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
    let report = section.report();
    let mode = section.take("mode").and_then(Item::string);
    let watch = section.take("watch").map(|item| (item.place(), item.duration(second, day)));
    let canary = CanaryKeys::take(&mut section);
    let rules = read_rules(&mut section);
    section.finish();
    let mode = match mode.as_ref().map(|mode| mode.value.as_str()) {
        None | Some("immediate") => {
            for place in &canary.places {
                report.at(place, "says nothing in mode \"immediate\"", "write mode = \"canary\", or remove it");
            }
            TrialMode::Immediate(watch.map_or(Some(WATCH), |(_, watch)| watch)?)
        }
        Some(name @ ("canary" | "shadow")) => {
            if let Some((place, _)) = &watch {
                report.at(place, format!("says nothing in mode {name:?}"), "write every, or remove it");
            }
            match name {
                "canary" => TrialMode::Canary(canary.build()?),
                _ => TrialMode::Shadow(canary.build()?),
            }
        }
        Some(other) => {
            let place = mode.as_ref()?;
            report.at(place, format!("{other:?} is not known"), "write \"immediate\", \"canary\" or \"shadow\"");
            return None;
        }
    };
    Some(Trial { mode, rules })
}

/// What there is to say about a canary, as it is written.
struct CanaryKeys {
    places: Vec<At<()>>,
    steps: Option<Vec<Share>>,
    every: Option<Duration>,
    sticky: Option<Sticky>,
    only: Option<Option<(HeaderName, String)>>,
}

impl CanaryKeys {
    fn take(section: &mut Section<'_>) -> Self {
        let report = section.report();
        let (share, steps) = (section.take("share"), section.take("steps"));
        if let (Some(share), Some(_)) = (&share, &steps) {
            report.at(&share.place(), "is there beside steps", "keep one of the two");
        }
        let (every, by, only) = (section.take("every"), section.take("sticky"), section.take("only"));
        let written = [&share, &steps, &every, &by, &only].into_iter().flatten();
        let places = written.map(Item::place).collect();
        let default = || Some(vec![Share::per_mille(if only.is_some() { 1_000 } else { 50 })]);
        let steps = match (share, steps) {
            (_, Some(steps)) => read_steps(steps),
            (Some(share), None) => read_step(share).map(|step| vec![step]),
            (None, None) => default(),
        };
        let minute = Duration::from_secs(60);
        let every =
            every.map_or(Some(minute), |item| item.duration(Duration::from_millis(100), Duration::from_secs(604_800)));
        let sticky = by.map_or(Some(Sticky::ClientAddress), |item| {
            item.string().and_then(|at| report.good(&at, sticky(&at.value)))
        });
        let only = only.map_or(Some(None), |item| item.section().and_then(read_only).map(Some));
        Self { places, steps, every, sticky, only }
    }

    fn build(self) -> Option<Canary> {
        Some(Canary { steps: self.steps?, every: self.every?, sticky: self.sticky?, only: self.only? })
    }
}

fn read_steps(item: Item<'_>) -> Option<Vec<Share>> {
    let (report, place) = (item.report(), item.place());
    let written = item.array()?;
    let count = written.len();
    let steps: Vec<_> = written.into_iter().filter_map(read_step).collect();
    let grow = steps.windows(2).all(|pair| pair[0].thousandths() < pair[1].thousandths());
    if count == 0 || (steps.len() == count && !grow) {
        report.at(&place, "has to begin with a share and to grow", "write it like [0.05, 0.25, 0.5]");
        return None;
    }
    (steps.len() == count).then_some(steps)
}

fn read_step(item: Item<'_>) -> Option<Share> {
    let (report, place) = (item.report(), item.place());
    let share = item.share()?;
    if share.thousandths() == 0 {
        report.at(&place, "is nobody", "write at least 0.001");
        return None;
    }
    Some(share)
}

fn read_only(mut section: Section<'_>) -> Option<(HeaderName, String)> {
    let report = section.report();
    let header = section.need("header", "add header = \"x-canary\"").and_then(Item::string);
    let value = section.need("value", "add value = \"yes\"").and_then(Item::string);
    section.finish();
    Some((field_name(&header?, report)?, value?.value))
}

fn field_name(at: &At<String>, report: &super::report::Report) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(at.value.as_bytes()).ok();
    if name.is_none() {
        report.at(at, format!("{:?} is no name of a header field", at.value), "write one such as \"x-user\"");
    }
    name
}

fn read_rules(section: &mut Section<'_>) -> TrialRules {
    let defaults = TrialRules::default();
    let (milli, minute) = (Duration::from_millis(1), Duration::from_secs(60));
    let mut count = |name, or| {
        let count = section.take(name).and_then(|item| item.count(1, 1_000_000));
        count.map_or(or, |count| count as u64)
    };
    let (exchanges, first) = (count("exchanges", defaults.exchanges), count("first", defaults.first));
    let mut share = |name, or| section.take(name).and_then(Item::share).unwrap_or(or);
    let (faults, deadlines) = (share("faults", defaults.faults), share("deadlines", defaults.deadlines));
    let server_errors = share("server-errors", defaults.server_errors);
    let client_errors = share("client-errors", defaults.client_errors);
    let mut time = |name, or| section.take(name).and_then(|item| item.duration(milli, minute)).unwrap_or(or);
    let (added_mean, added_p99) = (time("added-mean", defaults.added_mean), time("added-p99", defaults.added_p99));
    TrialRules { exchanges, first, faults, deadlines, server_errors, client_errors, added_mean, added_p99 }
}
