//! Holds what came to what was expected.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::exchange::SeenMessage;
use super::recorder::shown;
use super::report::Failure;
use crate::config::IdentityPart;
use crate::config::cases::{Expectation, Matcher, Part, Subject};
use crate::message::Principal;

/// The values of a part; none if it is not there.
pub(super) fn of_message(
    part: &Part,
    seen: &SeenMessage,
    sent: &[&str],
    fields: &HeaderMap,
    body: &[u8],
) -> Option<Vec<Vec<u8>>> {
    let values = |fields: &HeaderMap, name: &str| {
        let values: Vec<_> = fields.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect();
        (!values.is_empty()).then_some(values)
    };
    match part {
        Part::Method | Part::Status => seen.first.first().map(|text| vec![text.clone().into_bytes()]),
        Part::Path => seen.first.get(1).map(|text| vec![text.clone().into_bytes()]),
        Part::Field(name) => values(&seen.fields, name),
        Part::Trailer(name) => values(&seen.body.trailers, name),
        Part::Body => (!seen.body.bytes.is_empty()).then(|| vec![seen.body.bytes.clone()]),
        Part::Changed => Some(changed(seen, sent, fields, body).into_iter().map(String::into_bytes).collect()),
    }
}

/// The values of a part of an identity.
pub(super) fn of_identity(part: &IdentityPart, principal: Option<&Principal>) -> Option<Vec<Vec<u8>>> {
    let principal = principal?;
    let list = |values: &[HeaderValue]| {
        let values: Vec<_> = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        (!values.is_empty()).then_some(values)
    };
    let one = |value: Option<&HeaderValue>| value.map(|value| vec![value.as_bytes().to_vec()]);
    match part {
        IdentityPart::Subject | IdentityPart::Consumer => one(Some(&principal.subject)),
        IdentityPart::Issuer => one(principal.issuer.as_ref()),
        IdentityPart::Scopes => list(&principal.scopes),
        IdentityPart::Groups => list(&principal.groups),
        IdentityPart::Claim(name) => one(principal.claim(name)),
    }
}

/// The names of what differs, in the order of the alphabet.
fn changed(seen: &SeenMessage, sent: &[&str], fields: &HeaderMap, body: &[u8]) -> BTreeSet<String> {
    let own: &[&str] = if sent.len() > 1 { &[":method", ":path"] } else { &[":status"] };
    let own = own.iter().zip(sent.iter().zip(&seen.first)).filter(|(_, (sent, seen))| **sent != **seen);
    let mut names: BTreeSet<_> = own.map(|(name, _)| (*name).to_owned()).collect();
    let differs = |name: &&HeaderName| !seen.fields.get_all(*name).iter().eq(fields.get_all(*name).iter());
    names.extend(seen.fields.keys().chain(fields.keys()).filter(differs).map(ToString::to_string));
    if seen.body.bytes != body {
        names.insert("body".to_owned());
    }
    names
}

/// What is wrong, if anything is.
pub(super) fn shortfall(expectation: &Expectation, got: Option<Vec<Vec<u8>>>) -> Option<Failure> {
    let Expectation { key, line, subject, matcher } = expectation;
    let mut matcher = matcher.clone();
    if let (Subject::Upstream(Part::Changed) | Subject::Client(Part::Changed), Matcher::Exact(names)) =
        (subject, &mut matcher)
    {
        names.sort();
    }
    // A body is always there, if only as an empty one.
    let is_body = matches!(subject, Subject::Upstream(Part::Body) | Subject::Client(Part::Body));
    let got = if is_body && matches!(matcher, Matcher::Exact(_)) { got.or(Some(vec![Vec::new()])) } else { got };
    if matches(&matcher, got.as_deref()) {
        return None;
    }
    let shown = got.map_or_else(|| "nothing".to_owned(), |values| list(&values));
    Some(Failure::new(key, *line, &describe(&matcher), &shown))
}

pub(super) fn matches(matcher: &Matcher, got: Option<&[Vec<u8>]>) -> bool {
    let Some(values) = got else {
        return matches!(matcher, Matcher::Absent) || matches!(matcher, Matcher::Exact(exact) if exact.is_empty());
    };
    match matcher {
        Matcher::Present => true,
        Matcher::Absent => false,
        Matcher::Exact(exact) => exact == values || exact.as_slice() == [joined(values)],
        Matcher::Contains(part) => {
            let part = memchr::memmem::Finder::new(part);
            part.find(&joined(values)).is_some()
        }
        Matcher::Regex(regex) => regex.is_match(&joined(values)),
        Matcher::Json(json) => {
            serde_json::from_slice::<serde_json::Value>(&joined(values)).is_ok_and(|got| got == *json)
        }
    }
}

/// Several values as one (RFC 9110, section 5.3).
fn joined(values: &[Vec<u8>]) -> Vec<u8> {
    values.join(&b", "[..])
}

pub(super) fn describe(matcher: &Matcher) -> String {
    match matcher {
        Matcher::Present => "anything".to_owned(),
        Matcher::Absent => "nothing".to_owned(),
        Matcher::Exact(values) => list(values),
        Matcher::Contains(part) => format!("something with {}", shown(part)),
        Matcher::Regex(regex) => format!("something that matches {:?}", regex.as_str()),
        Matcher::Json(json) => format!("the JSON {json}"),
    }
}

fn list(values: &[Vec<u8>]) -> String {
    match values {
        [value] => shown(value),
        values => format!("[{}]", values.iter().map(|value| shown(value)).collect::<Vec<_>>().join(", ")),
    }
}
