//! Checks `rewrite`: what an upstream sees in another way than the client has sent it.

use http::{HeaderValue, uri::Authority};
use regex::Regex;

use super::{
    PathMatch,
    action::prefix_change,
    report::{At, Report, Wrong},
    route::whole_match,
    route_file::RewriteTable,
};
use crate::route::{PathRewrite, Rewrite};

/// The rewriting of a route whose path is this one, if that is good.
pub(super) fn check(
    place: &At<()>,
    table: &RewriteTable,
    path: Option<&PathMatch>,
    report: &Report,
) -> Option<Rewrite> {
    let host = table.host.as_ref().map(|at| report.good(at, host(&at.value)));
    let path = match (&table.prefix, &table.regex, &table.to) {
        (None, None, None) if table.host.is_none() => {
            if !report.concerns(&place.key) {
                report.at(place, "changes nothing", "write prefix, or regex and to, or host");
            }
            None
        }
        (None, None, None) => Some(PathRewrite::Kept),
        (Some(at), None, None) => prefix_change(at, path, report).map(PathRewrite::Prefix),
        (None, Some(regex), Some(to)) => expression(regex, to, report),
        (Some(at), ..) => {
            report.at(at, "there is a regex or to as well", "write either prefix, or regex and to");
            None
        }
        (None, Some(at), None) => {
            report.at(at, "does not say what takes its place", "add to = \"/…\", where $1 is its first group");
            None
        }
        (None, None, Some(at)) => {
            report.at(at, "takes the place of nothing", "add regex = \"/…\", which matches the whole path");
            None
        }
    };
    Some(Rewrite { path: path?, host: host.map_or(Some(None), |host| host.map(Some))? })
}

/// A host with or without a port, as it stands in `Host`.
fn host(text: &str) -> Result<HeaderValue, Wrong> {
    let authority = Authority::try_from(text).ok().filter(|authority| {
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        text.bytes().all(is_valid) && !authority.host().is_empty()
    });
    let value = authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    let remedy = || "write a host such as \"orders.internal\", with a port or without".to_owned();
    value.ok_or_else(|| (format!("{text:?} is not a host"), remedy()))
}

fn expression(regex: &At<String>, to: &At<String>, report: &Report) -> Option<PathRewrite> {
    let expression = whole_match(regex, report);
    let is_path = to.value.starts_with('/') && to.value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !is_path {
        let message = format!("{:?} is not a path", to.value);
        report.at(to, message, "begin with \"/\", and write other characters percent-encoded, such as %20");
    }
    let expression = expression?;
    report.good(to, groups(&to.value, &expression))?;
    is_path.then(|| PathRewrite::Expression(expression, to.value.clone()))
}

/// Whether all groups that the replacement names are in the expression. Others would silently be nothing.
fn groups(to: &str, expression: &Regex) -> Result<(), Wrong> {
    let mut rest = to;
    while let Some((_, behind)) = rest.split_once('$') {
        let braced = behind.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let bare = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(behind.len());
        let (name, after) = braced.unwrap_or(behind.split_at(bare));
        if let Some(after) = behind.strip_prefix('$') {
            rest = after;
            continue;
        }
        let is_known = match name.parse::<usize>() {
            Ok(number) => number < expression.captures_len(),
            Err(_) => expression.capture_names().flatten().any(|known| known == name),
        };
        if !is_known {
            return Err(unknown_group(name, expression));
        }
        rest = after;
    }
    Ok(())
}

fn unknown_group(name: &str, expression: &Regex) -> Wrong {
    let digits = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    let remedy = match name.split_at(digits) {
        _ if name.is_empty() => "write $$ for a dollar sign".to_owned(),
        ("", _) | (_, "") => match expression.captures_len() - 1 {
            0 => "the regex has no groups; put (…) around what is to be kept".to_owned(),
            count => format!("the regex has {count} of them, numbered from 1"),
        },
        (number, _) => format!("write ${{{number}}} to end the number there"),
    };
    (format!("the regex has no group {name:?}"), remedy)
}
