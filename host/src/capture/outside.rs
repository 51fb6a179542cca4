//! What a filter has got from outside its exchange: answers of callouts, and what it has found in stores.

use http::{HeaderMap, Method, StatusCode, Uri};

use super::redact::Redact;
use super::tape::Taken;
use super::text::{bytes, fields, line};
use crate::chain::CalledOut;
use crate::config::quote;
use crate::sandbox::Found;

/// How many callouts of an exchange are kept.
const CALLOUTS: usize = 32;

/// How many keys of stores.
const KEYS: usize = 64;

/// Shorter parts of what is hidden may be anywhere by chance.
const SHORTEST: usize = 4;

/// What there was of it before the fault.
#[derive(Default)]
pub(super) struct Outside {
    callouts: Vec<TakenCallout>,
    /// As each key was when it was first used.
    found: Vec<Found>,
}

struct TakenCallout {
    upstream: String,
    method: Method,
    uri: Uri,
    answer: Result<TakenAnswer, &'static str>,
}

struct TakenAnswer {
    status: StatusCode,
    fields: HeaderMap,
    kept: Vec<u8>,
    length: usize,
}

impl Outside {
    /// Notes a callout, with so much of the content of its answer.
    pub(super) fn called_out(&mut self, called: &CalledOut<'_>, most: usize) {
        if self.callouts.len() >= CALLOUTS {
            return;
        }
        let answer = called.answer.as_ref().map_err(|error| error.label()).map(|response| TakenAnswer {
            status: response.status,
            fields: response.fields.clone(),
            kept: response.body[..response.body.len().min(most)].to_vec(),
            length: response.body.len(),
        });
        let (upstream, method, uri) = (called.upstream.to_owned(), called.method.clone(), called.uri.clone());
        self.callouts.push(TakenCallout { upstream, method, uri, answer });
    }

    pub(super) fn found(&mut self, found: &Found) {
        let is_known = |known: &Found| known.space == found.space && known.key == found.key;
        if self.found.len() < KEYS && !self.found.iter().any(is_known) {
            self.found.push(found.clone());
        }
    }
}

/// The lines of a case for what was found in stores.
pub(super) fn stores(text: &mut String, taken: &Taken, redact: &Redact<'_>) {
    let hidden = Hidden::of_request(taken, redact);
    let mut spaces: Vec<&str> = taken.outside.found.iter().map(|found| &*found.space).collect();
    spaces.sort_unstable();
    spaces.dedup();
    for space in spaces {
        let found = taken.outside.found.iter().filter(|found| &*found.space == space);
        let entries: Vec<_> = found.filter_map(|found| entry(found, &hidden, redact)).collect();
        let key = if space.is_empty() { "store".to_owned() } else { format!("stores.{}", quote(space)) };
        if !entries.is_empty() {
            line(text, &key, &format!("{{ {} }}", entries.join(", ")));
        }
    }
}

/// A key that is no text, and one under which there was nothing, are left out.
fn entry(found: &Found, hidden: &Hidden, redact: &Redact<'_>) -> Option<String> {
    let key = hidden.out_of(std::str::from_utf8(&found.key).ok()?);
    let name = quote(&key);
    match &found.value {
        Some(value) => Some(format!("{name} = {}", stored(&key, value, redact))),
        None if found.is_leased => Some(format!("{name} = {{ lease = \"1m\" }}")),
        None => None,
    }
}

/// Numbers are kept, as they are mostly counters; of other values as much as of bodies.
fn stored(key: &str, value: &[u8], redact: &Redact<'_>) -> String {
    let is_number = value.len() <= 20 && value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    match is_number {
        true => bytes(value),
        false => match redact.field(key, value) {
            seen if seen == value => content(&value[..value.len().min(redact.0.bodies)], value.len()),
            instead => bytes(&instead),
        },
    }
}

/// What was kept, and as many `x` as there were bytes besides.
fn content(kept: &[u8], length: usize) -> String {
    let rest = length - kept.len();
    match (kept.len(), rest) {
        (_, 0) => bytes(kept),
        (0, _) => format!("{{ repeat = \"x\", times = {rest} }}"),
        _ => format!("[{}, {{ repeat = \"x\", times = {rest} }}]", bytes(kept)),
    }
}

/// The callouts of a case.
pub(super) fn callouts(text: &mut String, taken: &Taken, redact: &Redact<'_>) {
    let hidden = Hidden::of_request(taken, redact);
    for callout in &taken.outside.callouts {
        let path = callout.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let answer = match &callout.answer {
            Ok(answer) => format!("answer = {}", answered(answer, redact)),
            // What was never sent is refused again.
            Err("not-granted" | "invalid" | "too-many") => continue,
            Err(failure) => format!("fails = {}", quote(failure)),
        };
        text.push_str("[[cases.callouts]]\n");
        text.push_str(&format!("# {} {}\n", callout.method, hidden.out_of(&redact.address(path))));
        line(text, "upstream", &quote(&callout.upstream));
        text.push_str(&answer);
        text.push('\n');
    }
}

fn answered(answer: &TakenAnswer, redact: &Redact<'_>) -> String {
    let mut parts = vec![format!("status = {}", answer.status.as_u16())];
    let all = fields(&answer.fields, redact);
    if !all.is_empty() {
        parts.push(format!("fields = {{ {} }}", all.join(", ")));
    }
    if answer.length > 0 {
        parts.push(format!("body = {}", content(&answer.kept, answer.length)));
    }
    format!("{{ {} }}", parts.join(", "))
}

/// What is hidden of the request may be a part of a key, and is hidden there alike: so a filter that is run again on what is left
/// makes the same key of it.
struct Hidden(Vec<String>);

impl Hidden {
    fn of_request(taken: &Taken, redact: &Redact<'_>) -> Self {
        let path = taken.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        Self::of(path, &taken.request.fields, redact)
    }

    fn of(path: &str, fields: &HeaderMap, redact: &Redact<'_>) -> Self {
        let fields =
            fields.iter().filter(|(name, value)| redact.field(name.as_str(), value.as_bytes()) != value.as_bytes());
        let values = fields.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let query = path.split_once('?').map(|(_, query)| query.to_owned());
        let shown = redact.address(path);
        let is_shown = |part: &str| shown.contains(part);
        let mut parts: Vec<String> = Vec::new();
        for value in values {
            parts.extend(value.split([' ', ';', '=', ',', '&', '?', '"']).map(ToOwned::to_owned));
            parts.push(value);
        }
        let query = query.iter().flat_map(|query| query.split(['&', '=']));
        parts.extend(query.filter(|part| !is_shown(part)).map(ToOwned::to_owned));
        parts.retain(|part| part.len() >= SHORTEST);
        // The longest first, or a part of a value would be hidden before the whole.
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        Self(parts)
    }

    fn out_of(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, hidden| text.replace(hidden.as_str(), super::redact::HIDDEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Capture;

    fn hidden(fields: &[(&'static str, &'static str)], path: &str) -> Hidden {
        let settings = Capture { directory: "c".into(), max: 1, bodies: 0, query: vec!["page".into()], redact: vec![] };
        let fields = fields
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
        Hidden::of(path, &fields.collect(), &Redact(&settings))
    }

    #[test]
    fn what_is_hidden_of_a_request_is_hidden_in_keys() {
        let fields = [("authorization", "Bearer abcdef"), ("cookie", "a=1; sid=ghijkl"), ("accept", "text/plain")];
        let hidden = hidden(&fields, "/a?page=second&code=mnopqr");
        for (key, left) in [
            ("token:abcdef", "token:redacted"),
            ("sid=ghijkl", "sid=redacted"),
            ("mnopqr/second", "redacted/second"),
            ("text/plain", "text/plain"),
        ] {
            assert_eq!(hidden.out_of(key), left, "{key}");
        }
    }

    #[test]
    fn numbers_are_kept_and_of_other_values_as_much_as_of_bodies() {
        let settings = Capture { directory: "c".into(), max: 1, bodies: 2, query: vec![], redact: vec![] };
        let redact = Redact(&settings);
        let kept = |key, value: &str| stored(key, value.as_bytes(), &redact);
        assert_eq!(kept("visits", "-12"), "\"-12\"");
        assert_eq!(kept("name", "abcd"), "[\"ab\", { repeat = \"x\", times = 2 }]");
        assert_eq!((kept("name", "ab"), kept("session:1", "ab")), ("\"ab\"".into(), "\"redacted\"".into()));
    }
}
