//! The callouts of a case: what a filter may ask an upstream for, and what it is answered.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{
    content::joined,
    exchange::fields,
    expect::{Expectation, KeyLine, Part, Subject, read_message},
    policies::Chain,
};
use crate::config::section::{Item, Section};

/// How long an answer may take.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Why there may be no answer, as the interface names it.
const FAILURES: [&str; 5] = ["unavailable", "connect", "timeout", "broken", "too-large"];

/// A callout that is answered.
#[derive(Debug, Clone)]
pub struct CalloutCase {
    /// Where it is written.
    pub at: KeyLine,
    /// The upstream.
    pub upstream: String,
    /// What is expected of the request, each as of a request to an upstream.
    pub expectations: Vec<Expectation>,
    /// What comes back.
    pub answer: AnswerCase,
    /// After how long.
    pub after: Duration,
    /// How often it is to be asked for; none if that does not matter.
    pub times: Option<u32>,
}

/// What comes back of a callout.
#[derive(Debug, Clone)]
pub enum AnswerCase {
    /// A response.
    Response {
        /// Its status.
        status: StatusCode,
        /// Its fields.
        fields: HeaderMap,
        /// Its content.
        body: Bytes,
    },
    /// Why there is none: one of the interface's names.
    Failure(String),
}

impl CalloutCase {
    pub(super) fn read(item: Item<'_>, chain: &Chain) -> Option<Self> {
        let (report, place) = (item.report(), item.place());
        let mut section = item.section()?;
        let upstream = section.need("upstream", "name the upstream that is asked").and_then(Item::string);
        let mut expectations = Vec::new();
        if let Some(request) = section.take("request").and_then(Item::section) {
            read_message(
                request,
                Subject::Upstream,
                &[("method", Part::Method), ("path", Part::Path)],
                &mut expectations,
            );
        }
        let answer = section.take("answer").and_then(Item::section).map(read_answer);
        let failure = section.take("fails").and_then(read_failure);
        let after = section.take("after").and_then(|item| item.duration(Duration::ZERO, LONGEST));
        let times = section.take("times").map_or(Some(1), read_times);
        section.finish();
        let answer = match (answer, failure) {
            (Some(answer), None) => Some(answer),
            (None, Some(failure)) => Some(AnswerCase::Failure(failure)),
            _ => {
                if !report.concerns(&place.key) {
                    report.at(&place, "has no single answer", "write answer = { status = 200 } or fails = \"timeout\"");
                }
                None
            }
        };
        let upstream = upstream?;
        let granted = chain.policies.iter().flat_map(|policy| &policy.grants.callouts);
        if granted.clone().all(|granted| granted.name != upstream.value) {
            let remedy = format!("write grants = {{ callouts = [{:?}] }} for the policy that asks it", upstream.value);
            report.at(&upstream, format!("no policy is granted callouts to {:?}", upstream.value), remedy);
        }
        let at = (place.key, place.line);
        Some(Self {
            at,
            upstream: upstream.value,
            expectations,
            answer: answer?,
            after: after.unwrap_or_default(),
            times,
        })
    }
}

fn read_answer(mut section: Section<'_>) -> AnswerCase {
    let status = section.take("status").and_then(|item| item.count(200, 599));
    let status = status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    let mut all = HeaderMap::new();
    fields(&mut all, section.take("fields"));
    let body = section.take("body").and_then(joined).unwrap_or_default();
    section.finish();
    AnswerCase::Response { status: status.unwrap_or_default(), fields: all, body: body.into() }
}

fn read_failure(item: Item<'_>) -> Option<String> {
    let report = item.report();
    let text = item.string()?;
    if !FAILURES.contains(&text.value.as_str()) {
        report.at(&text, format!("{:?} is not known", text.value), format!("write one of {}", FAILURES.join(", ")));
    }
    Some(text.value)
}

/// A number, or `"any"`.
fn read_times(item: Item<'_>) -> Option<u32> {
    let report = item.report();
    if !item.is_string() {
        return item.count(1, 1_000).and_then(|times| u32::try_from(times).ok()).or(Some(1));
    }
    let text = item.string()?;
    if text.value != "any" {
        report.at(&text, format!("{:?} is not known", text.value), "write a number, or \"any\"");
    }
    None
}
