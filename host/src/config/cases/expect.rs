//! What is expected of an exchange.

use std::time::Duration;

use super::{
    exchange::field_name,
    matcher::Matcher,
    policies::Chain,
    state::{self, SpaceOf},
};
use crate::config::{
    IdentityPart,
    report::{At, Report},
    section::{Item, Section},
    units,
};

/// All that is expected of one exchange.
#[derive(Debug, Clone, Default)]
pub struct Expect {
    /// Each by itself.
    pub expectations: Vec<Expectation>,
    /// The classes of the faults, in order; none if nothing is said.
    pub faults: Vec<String>,
    /// Where that is said.
    pub faults_at: (String, usize),
    /// What it may cost.
    pub budget: Budget,
}

/// One thing that is expected.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The key that says it.
    pub key: String,
    /// The line of the key.
    pub line: usize,
    /// Of what.
    pub subject: Subject,
    /// What.
    pub matcher: Matcher,
}

/// What something is expected of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Of what became of the request.
    Outcome,
    /// Of the request as the upstream gets it.
    Upstream(Part),
    /// Of the response as the client gets it.
    Client(Part),
    /// Of who the request is made for.
    Consumer,
    /// Of an attribute.
    Attribute(String),
    /// Of the identity that is known.
    Identity(IdentityPart),
    /// Of what kind of request it is known to be.
    Class,
    /// Of what is in a space under a key.
    Stored(SpaceOf, String),
    /// Of why the filter refuses its configuration.
    Refused,
    /// Of some line of the log, written as `level: message`.
    Log,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The method of a request.
    Method,
    /// The path of a request, with the query.
    Path,
    /// The status of a response.
    Status,
    /// A field.
    Field(String),
    /// The body.
    Body,
    /// A trailer.
    Trailer(String),
    /// The names of what differs from the message as it was sent.
    Changed,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The upstream got it.
    Forwarded,
    /// The filter has replied.
    Replied,
    /// The filter has faulted and its policy denies then.
    Denied,
    /// The filter has cut the exchange before there was a response.
    Cut,
}

impl Outcome {
    /// As it is written.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Replied => "replied",
            Self::Denied => "denied",
            Self::Cut => "cut",
        }
    }
}

/// Bounds on what an exchange costs.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    /// CPU time of each hook.
    pub cpu: Option<(Duration, KeyLine)>,
    /// The most memory that the instance has had, in bytes.
    pub memory: Option<(u64, KeyLine)>,
    /// How often each hook may call the gateway.
    pub host_calls: Option<(u64, KeyLine)>,
}

/// Key and line.
pub type KeyLine = (String, usize);

impl Expect {
    pub(super) fn read(mut section: Section<'_>, budget: &Budget, chain: &Chain) -> Self {
        let (report, place) = (section.report(), section.place());
        let mut found = Vec::new();
        take(&mut section, "outcome", Subject::Outcome, &mut found);
        if let Some(Expectation { key, line, matcher: Matcher::Exact(text), .. }) = found.first()
            && !["forwarded", "replied", "denied", "cut"].iter().any(|known| [known.as_bytes()] == text.as_slice())
        {
            report.key(key, *line, "is not known", "write \"forwarded\", \"replied\", \"denied\" or \"cut\"");
        }
        if let Some(section) = section.take("upstream").and_then(Item::section) {
            read_message(section, Subject::Upstream, &[("method", Part::Method), ("path", Part::Path)], &mut found);
        }
        if let Some(section) = section.take("client").and_then(Item::section) {
            read_message(section, Subject::Client, &[("status", Part::Status)], &mut found);
        }
        take(&mut section, "consumer", Subject::Consumer, &mut found);
        take(&mut section, "class", Subject::Class, &mut found);
        if let Some(section) = section.take("identity").and_then(Item::section) {
            read_identity(section, &mut found);
        }
        for (space, key, item) in state::entries(&mut section, chain) {
            add(item, Subject::Stored(space, key), &mut found);
        }
        if let Some(item) = section.take("refused") {
            let (key, line) = at(&item);
            let matcher = Matcher::read_part(item);
            found.extend(matcher.map(|matcher| Expectation { key, line, subject: Subject::Refused, matcher }));
        }
        for (name, item) in entries(&mut section, "attributes") {
            add(item, Subject::Attribute(name), &mut found);
        }
        for item in section.take("log").and_then(Item::array).into_iter().flatten() {
            let At { key, line, .. } = item.place();
            found.extend(Matcher::read_part(item).map(|matcher| Expectation {
                key,
                line,
                subject: Subject::Log,
                matcher,
            }));
        }
        let faults = section.take("faults");
        let faults_at = faults.as_ref().map_or((place.key.clone(), place.line), |item| at(item));
        let faults = faults.and_then(Item::array).map(|items| items.into_iter().filter_map(Item::string));
        let faults: Option<Vec<String>> = faults.map(|faults| faults.map(|at| at.value).collect());
        let cost = section.take("cost").and_then(Item::section);
        section.finish();
        if found.is_empty() && faults.is_none() && cost.is_none() && !report.concerns(&place.key) {
            report.at(&place, "expects nothing", "say what is expected, as in client = { status = 200 }");
        }
        let budget = cost.map_or_else(|| budget.clone(), |cost| Budget::read(cost, budget));
        Self { expectations: found, faults: faults.unwrap_or_default(), faults_at, budget }
    }
}

impl Budget {
    pub(super) fn read(mut section: Section<'_>, base: &Self) -> Self {
        let cpu = section.take("cpu").and_then(|item| {
            let place = at(&item);
            cpu(item).map(|cpu| (cpu, place))
        });
        let memory = section.take("memory").and_then(|item| {
            let place = at(&item);
            item.size(64 << 10, 1 << 30).map(|memory| (memory, place))
        });
        let host_calls = section.take("host-calls").and_then(|item| {
            let place = at(&item);
            item.count(0, 1_000_000).map(|calls| (calls as u64, place))
        });
        section.finish();
        Self {
            cpu: cpu.or_else(|| base.cpu.clone()),
            memory: memory.or_else(|| base.memory.clone()),
            host_calls: host_calls.or_else(|| base.host_calls.clone()),
        }
    }
}

/// A duration, also in microseconds.
fn cpu(item: Item<'_>) -> Option<Duration> {
    let report: &Report = item.report();
    let text = item.string()?;
    let micros = text.value.strip_suffix("us").and_then(|micros| micros.trim().parse().ok()).map(Duration::from_micros);
    let wrong = || ("is not a duration".to_owned(), "write it like \"200us\" or \"2ms\"".to_owned());
    report.good(&text, micros.or_else(|| units::parse_duration(&text.value)).ok_or_else(wrong))
}

fn read_identity(mut section: Section<'_>, found: &mut Vec<Expectation>) {
    for (key, part) in [
        ("subject", IdentityPart::Subject),
        ("issuer", IdentityPart::Issuer),
        ("scopes", IdentityPart::Scopes),
        ("groups", IdentityPart::Groups),
    ] {
        take(&mut section, key, Subject::Identity(part), found);
    }
    for (name, item) in entries(&mut section, "claims") {
        add(item, Subject::Identity(IdentityPart::Claim(name)), found);
    }
    section.finish();
}

pub(super) fn read_message(
    mut section: Section<'_>,
    of: fn(Part) -> Subject,
    own: &[(&'static str, Part)],
    found: &mut Vec<Expectation>,
) {
    let report = section.report();
    for (key, part) in own {
        take(&mut section, key, of(part.clone()), found);
    }
    take(&mut section, "body", of(Part::Body), found);
    take(&mut section, "changed", of(Part::Changed), found);
    for (key, part) in [("fields", Part::Field as fn(String) -> Part), ("trailers", Part::Trailer)] {
        for (name, item) in entries(&mut section, key) {
            if field_name(&name, &item.place(), report).is_some() {
                add(item, of(part(name)), found);
            }
        }
    }
    section.finish();
}

fn entries<'a>(section: &mut Section<'a>, key: &'static str) -> Vec<(String, Item<'a>)> {
    section.take(key).and_then(Item::section).map(Section::entries).unwrap_or_default()
}

fn take(section: &mut Section<'_>, key: &'static str, subject: Subject, found: &mut Vec<Expectation>) {
    if let Some(item) = section.take(key) {
        add(item, subject, found);
    }
}

fn add(item: Item<'_>, subject: Subject, found: &mut Vec<Expectation>) {
    let (key, line) = at(&item);
    found.extend(Matcher::read(item).map(|matcher| Expectation { key, line, subject, matcher }));
}

fn at(item: &Item<'_>) -> KeyLine {
    let At { key, line, .. } = item.place();
    (key, line)
}
