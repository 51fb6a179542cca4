//! Checks `[[routes]]`: what a request must look like, and what becomes of it then.

use http::{HeaderName, HeaderValue, Method};
use regex::{Regex, RegexBuilder};

use super::{
    Catalogue, HeaderMatch, HostPattern, Listener, ListenerSet, PathMatch, QueryMatch, Route, Team, Upstream,
    ValueMatch, action, catalogue,
    check::unique_names,
    file::{PathTable, RouteTable, ValueTable},
    names,
    policies::Policies,
    report::{At, Report, Wrong},
    upstream::is_host_name,
};

/// Bounds the memory of a compiled expression.
const MAX_REGEX_BYTES: usize = 1024 * 1024;

/// What routes may name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// The listeners.
    pub(super) listeners: &'a [Listener],
    /// The upstreams.
    pub(super) upstreams: &'a [Upstream],
    /// The policies.
    pub(super) policies: &'a Policies,
    /// What teams may do.
    pub(super) catalogue: Option<&'a Catalogue>,
    /// The team whose routes these are; without one, they are the platform's.
    pub(super) team: Option<&'a Team>,
}

/// All routes, as far as they are good.
pub(super) fn check_all(tables: Vec<RouteTable>, known: &Known<'_>, report: &Report) -> Vec<Route> {
    let names = unique_names(tables.iter().map(|table| (&table.place, &table.name)), "route", report);
    let checked = tables.iter().zip(names).map(|(table, name)| check(table, name, known, report));
    checked.collect::<Vec<_>>().into_iter().flatten().collect()
}

fn check(table: &RouteTable, name: String, known: &Known<'_>, report: &Report) -> Option<Route> {
    let listeners = listeners(table.listeners.as_deref(), known, report);
    let hosts = good(&table.hosts, report, host);
    let methods = good(&table.methods, report, method);
    let headers = table.headers.iter().filter_map(|(name, value)| header(name, value, report)).collect();
    let query = table.query.iter().filter_map(|(name, value)| parameter(name, value, report)).collect();
    let path = table.path.as_ref().map_or(Some(PathMatch::Any), |(place, table)| path(place, table, report));
    let policies = policies(&table.policies, known, report);
    let action = action::check(&table.action, path.as_ref(), known, report);
    let (path, action, body_limit) = (path?, action?, table.body_limit);
    let (upgrades, call, forward_identity) = (table.upgrades, table.call.clone(), table.forward_identity.clone());
    let team = known.team.map(|team| team.name.clone());
    let route = Route {
        name,
        listeners,
        hosts,
        methods,
        headers,
        query,
        path,
        policies,
        upgrades,
        call,
        action,
        body_limit,
        forward_identity,
        team,
    };
    catalogue::check_route(table, &route, known, report);
    Some(route)
}

/// The values that are good; the others are reported.
fn good<T>(texts: &[At<String>], report: &Report, check: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
    texts.iter().filter_map(|at| report.good(at, check(&at.value))).collect()
}

fn listeners(names: Option<&[At<String>]>, known: &Known<'_>, report: &Report) -> ListenerSet {
    let Some(names) = names else { return ListenerSet::All };
    let listeners = || known.listeners.iter().map(|listener| listener.name.as_str());
    let mut indices = good(names, report, |name| {
        let unknown = || (format!("there is no listener {name:?}"), names::suggest(name, "listeners", listeners()));
        listeners().position(|other| other == name).ok_or_else(unknown)
    });
    indices.sort_unstable();
    indices.dedup();
    ListenerSet::Only(indices)
}

fn policies(names: &[At<String>], known: &Known<'_>, report: &Report) -> Vec<String> {
    let mut policies: Vec<String> = Vec::new();
    for at in names {
        match known.policies.find(&at.value) {
            Ok(name) if policies.contains(&name) => {
                report.at(at, format!("{name:?} is named twice"), "name each policy once");
            }
            Ok(name) => policies.push(name),
            Err((message, remedy)) if known.policies.is_complete() => report.at(at, message, remedy),
            Err(_) => (),
        }
    }
    policies
}

pub(super) fn host(text: &str) -> Result<HostPattern, Wrong> {
    let wrong = |what: &str, remedy: &str| Err((format!("{text:?} {what}"), remedy.to_owned()));
    let lower = text.to_lowercase();
    let (wildcard, name) = lower.strip_prefix("*.").map_or((false, lower.as_str()), |rest| (true, rest));
    if name == "*" {
        return wrong("matches every host", "leave hosts out to match any");
    }
    if !wildcard && name.starts_with('[') && name.ends_with(']') {
        return match name[1..name.len() - 1].parse::<std::net::Ipv6Addr>() {
            Ok(address) => Ok(HostPattern::Exact(format!("[{address}]"))),
            Err(_) => wrong("is not an IPv6 address", "write it like \"[::1]\""),
        };
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    match name {
        _ if name.contains(['/', '?', '#']) => wrong("is a URL, not a host", "write the host only"),
        _ if name.contains(':') => wrong("has a port", "write the host only; name listeners to tell ports apart"),
        _ if name.contains('*') => wrong("has a * elsewhere than first", "write a host, or \"*.\" and a domain"),
        _ if !is_host_name(name) => wrong("is not a host", "write a host such as \"api.example.com\""),
        _ if wildcard => Ok(HostPattern::Wildcard(name.to_owned())),
        _ => Ok(HostPattern::Exact(name.to_owned())),
    }
}

/// A method in upper case, as all that are registered are.
pub(super) fn method(text: &str) -> Result<Method, Wrong> {
    let upper = text.to_uppercase();
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) if text == upper => Ok(method),
        Ok(_) => Err((format!("{text:?} is not in upper case"), format!("write {upper:?}"))),
        Err(_) => Err((format!("{text:?} is not a method"), "write a method such as \"GET\"".to_owned())),
    }
}

fn header(name: &At<String>, table: &ValueTable, report: &Report) -> Option<HeaderMatch> {
    let value = value(name, table, report);
    if let Some(at) = table.exact.as_ref().filter(|at| HeaderValue::from_str(&at.value).is_err()) {
        report.at(at, "has characters that no header value has", "write visible ASCII characters");
    }
    match HeaderName::from_bytes(name.value.as_bytes()) {
        Ok(name) => Some(HeaderMatch { name, value: value? }),
        Err(_) => {
            report.at(name, format!("{:?} is not a header name", name.value), "write letters, digits and dashes");
            None
        }
    }
}

fn parameter(name: &At<String>, table: &ValueTable, report: &Report) -> Option<QueryMatch> {
    let value = value(name, table, report)?;
    Some(QueryMatch { name: name.value.clone(), value })
}

fn value(place: &At<String>, table: &ValueTable, report: &Report) -> Option<ValueMatch> {
    match (&table.exact, &table.regex, &table.present) {
        (Some(at), None, None) => Some(ValueMatch::Exact(at.value.clone())),
        (None, Some(at), None) => whole_match(at, report).map(ValueMatch::Regex),
        (None, None, Some(At { value: true, .. })) => Some(ValueMatch::Present),
        (None, None, Some(at)) => {
            report.at(at, "is false, which is not supported", "write present = true, or leave it out");
            None
        }
        _ => {
            one_of(place, &["exact", "regex", "present"], report);
            None
        }
    }
}

fn path(place: &At<()>, table: &PathTable, report: &Report) -> Option<PathMatch> {
    match (&table.exact, &table.prefix, &table.regex) {
        (Some(at), None, None) => plain_path(at, "exact", report).map(PathMatch::Exact),
        (None, Some(at), None) => plain_path(at, "prefix", report).map(|path| PathMatch::Prefix(without_slash(path))),
        (None, None, Some(at)) => whole_match(at, report).map(PathMatch::Regex),
        _ => {
            one_of(place, &["exact", "prefix", "regex"], report);
            None
        }
    }
}

/// `/orders/` says the same as `/orders`, since a prefix ends at a segment's boundary.
fn without_slash(path: String) -> String {
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        rest => rest.to_owned(),
    }
}

pub(super) fn plain_path(at: &At<String>, kind: &str, report: &Report) -> Option<String> {
    let text = &at.value;
    let wrong = match text {
        _ if !text.starts_with('/') => {
            ("does not begin with \"/\"", format!("write {kind} = {:?}", format!("/{text}")))
        }
        _ if text.contains(['?', '#']) => ("has a query or fragment", "write the path only".to_owned()),
        _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            ("has characters that no path has", "write them percent-encoded, such as %20".to_owned())
        }
        _ => return Some(text.clone()),
    };
    report.at(at, format!("{text:?} {}", wrong.0), wrong.1);
    None
}

/// An expression that matches a text from its beginning to its end.
pub(super) fn whole_match(at: &At<String>, report: &Report) -> Option<Regex> {
    // Compiled alone first: otherwise `a)|(b` would be good, and messages would be about an expression nobody wrote.
    let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(MAX_REGEX_BYTES).build();
    let compiled = compile(&at.value).and_then(|_| compile(&format!("^(?:{})$", at.value)));
    let describe = |error: &regex::Error| match error {
        regex::Error::CompiledTooBig(_) => "is too large".to_owned(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("is not a regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
        }
    };
    compiled
        .map_err(|error| {
            report.at(at, format!("{:?} {}", at.value, describe(&error)), "see docs.rs/regex for its syntax")
        })
        .ok()
}

fn one_of<T>(place: &At<T>, kinds: &[&str], report: &Report) {
    // With a problem inside already, the one that is missing here may be just that one.
    if !report.concerns(&place.key) {
        report.at(place, format!("needs exactly one of {}", kinds.join(", ")), "write one of them");
    }
}
