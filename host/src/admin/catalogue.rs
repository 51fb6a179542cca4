//! The page about the catalogue, for programs and for people: whoever asks for HTML gets it. Texts are those of authors of modules, so
//! each is escaped, and the page runs nothing and fetches nothing.

use std::fmt::Write;

use http::{HeaderValue, Response, StatusCode, header};

use super::pages::{page, percent_decoded};
use crate::snapshot::{FilterRow, Listing, TeamRow};

const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'");

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Catalogue</title>\
    <style>body{font:15px/1.5 sans-serif;margin:2em}table{border-collapse:collapse;margin:1em 0}\
    th,td{text-align:left;vertical-align:top;padding:.3em .8em;border-bottom:1px solid #ccc}</style>";

/// Which part of it is wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    words: Vec<String>,
    team: Option<String>,
}

impl Wanted {
    /// As a query says it: `q` has words, `team` the name of a team.
    pub(super) fn of(query: Option<&str>) -> Self {
        let mut wanted = Self::default();
        for (key, value) in query.into_iter().flat_map(|query| query.split('&')).filter_map(|pair| pair.split_once('='))
        {
            let value = percent_decoded(&value.replace('+', " "));
            match key {
                "q" => wanted.words.extend(value.split_whitespace().map(ToOwned::to_owned)),
                "team" if !value.is_empty() => wanted.team = Some(value),
                _ => {}
            }
        }
        wanted
    }
}

/// The page.
pub(super) fn catalogue(mut listing: Listing, wanted: &Wanted, is_html: bool) -> Response<String> {
    listing.narrow(&wanted.words, wanted.team.as_deref());
    if !is_html {
        return page(StatusCode::OK, "application/json", format!("{:#}\n", listing.json()));
    }
    let mut response = page(StatusCode::OK, "text/html; charset=utf-8", html(&listing, wanted));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

fn html(listing: &Listing, wanted: &Wanted) -> String {
    let mut text = HEAD.to_owned();
    let (words, team) = (escape(&wanted.words.join(" ")), escape(wanted.team.as_deref().unwrap_or_default()));
    put(&mut text, &format!("<h1>Catalogue</h1><form><label>Words <input name=q value=\"{words}\"></label> "));
    put(&mut text, &format!("<label>Team <input name=team value=\"{team}\"></label> <button>Search</button></form>"));
    put(
        &mut text,
        "<h2>Filters</h2><table><tr><th>Name<th>Version<th>What it does<th>Owner<th>For<th>Needs<th>Attached</tr>",
    );
    listing.filters.iter().for_each(|filter| put(&mut text, &filter_row(filter)));
    put(&mut text, "</table>");
    if !listing.teams.is_empty() {
        put(
            &mut text,
            "<h2>Teams</h2><table><tr><th>Name<th>Requests<th>Policies<th>Routes<th>Upstreams<th>Registries<th>Grants<th>Quota</tr>",
        );
        listing.teams.iter().for_each(|team| put(&mut text, &team_row(team)));
        put(&mut text, "</table>");
    }
    text
}

fn filter_row(filter: &FilterRow) -> String {
    let need = |need: &crate::snapshot::Need| {
        let name = need.name.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
        escape(&format!("{}{name}: {}", need.grant, need.why))
    };
    let attached = |attached: &crate::snapshot::Attached| {
        let team = attached.team.as_deref().map(|team| format!(" ({team})")).unwrap_or_default();
        escape(&format!("{}{team}: {}", attached.policy, attached.routes.join(", ")))
    };
    let described = [&filter.description, &filter.documentation, &filter.problem];
    let described: Vec<_> = described.into_iter().flatten().map(|text| escape(text)).collect();
    let visibility = match filter.visibility.as_array() {
        Some(teams) => teams.iter().filter_map(|team| team.as_str()).collect::<Vec<_>>().join(", "),
        None => filter.visibility.as_str().unwrap_or_default().to_owned(),
    };
    cells(&[
        escape(&filter.name),
        escape(filter.version.as_deref().unwrap_or_default()),
        described.join("<br>"),
        escape(filter.owner.as_deref().unwrap_or("the platform")),
        escape(&visibility),
        filter.needs.iter().map(need).collect::<Vec<_>>().join("<br>"),
        filter.attached.iter().map(attached).collect::<Vec<_>>().join("<br>"),
    ])
}

fn team_row(team: &TeamRow) -> String {
    let named = [Some(&team.name), team.description.as_ref(), team.contact.as_ref()];
    let named: Vec<_> = named.into_iter().flatten().map(|text| escape(text)).collect();
    let quota = team.quota.as_object().into_iter().flatten().filter_map(|(key, value)| bound(key, value));
    let routes = team.routes.iter().chain(&team.kept).map(|text| escape(text));
    cells(&[
        named.join("<br>"),
        escape(&team.requests),
        escape(&team.policies.join(", ")),
        routes.collect::<Vec<_>>().join("<br>"),
        escape(&team.upstreams.join(", ")),
        escape(&team.registries.join(", ")),
        team.grants.as_object().map(|_| escape(&team.grants.to_string())).unwrap_or_default(),
        quota.collect::<Vec<_>>().join("<br>"),
    ])
}

/// A bound, and how much of it is used if that is known.
fn bound(key: &str, value: &serde_json::Value) -> Option<String> {
    let most = if value.is_object() { &value["most"] } else { value };
    let most = most.as_str().map(ToOwned::to_owned).or_else(|| most.as_u64().map(|most| most.to_string()))?;
    let used = value["used"].as_u64().map(|used| format!("{used} of ")).unwrap_or_default();
    Some(escape(&format!("{key} {used}{most}")))
}

fn cells(cells: &[String]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| format!("<td>{cell}")).collect();
    format!("<tr>{}</tr>", cells.concat())
}

fn put(text: &mut String, more: &str) {
    // Writing to memory does not fail.
    let _ = writeln!(text, "{more}");
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_words_and_a_team() {
        let wanted = Wanted::of(Some("q=rate+limit%3C&team=pay&x"));
        assert_eq!(wanted, Wanted { words: vec!["rate".into(), "limit<".into()], team: Some("pay".into()) });
        assert_eq!(Wanted::of(Some("team=")), Wanted::default());
    }

    #[test]
    fn nothing_that_is_shown_is_markup() {
        let wanted = Wanted { words: vec!["\"><script>".into()], team: None };
        let shown = html(&Listing::default(), &wanted);
        assert!(shown.contains("&quot;&gt;&lt;script&gt;") && !shown.contains("<script>"), "{shown}");
    }
}
