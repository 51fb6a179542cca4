//! Patterns: of names, and of the requests that are a team's.

use crate::config::{HostPattern, Listener, ListenerSet, PathMatch, Route, report::Wrong, route};

/// Names: one, or all with a beginning, written `"pay-*"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// This one.
    Exact(String),
    /// All that begin so.
    Beginning(String),
}

/// The requests that are a team's (`routes`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// `hosts`; none are all.
    pub hosts: Option<Vec<HostPattern>>,
    /// `paths`; none are all.
    pub paths: Option<Vec<PathArea>>,
    /// `listeners`, by name; none are all.
    pub listeners: Option<Vec<String>>,
}

/// Paths: `"/pay"`, or with all that is below, `"/pay/*"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathArea {
    /// This one.
    Exact(String),
    /// This one and all below.
    Below(String),
}

impl NamePattern {
    /// Reads it.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let (pattern, name) = match text.strip_suffix('*') {
            Some(beginning) => (Self::Beginning(beginning.to_owned()), beginning),
            None => (Self::Exact(text.to_owned()), text),
        };
        if text.is_empty() || name.contains('*') {
            let remedy = "write a name, or a beginning with a star at its end, such as \"pay-*\"";
            return Err((format!("{text:?} is no pattern of names"), remedy.to_owned()));
        }
        Ok(pattern)
    }

    /// Whether a name is among them.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Beginning(beginning) => name.starts_with(beginning.as_str()),
        }
    }

    /// Whether a name could be among these and those.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(name), pattern) | (pattern, Self::Exact(name)) => pattern.matches(name),
            (Self::Beginning(one), Self::Beginning(other)) => one.starts_with(other) || other.starts_with(one),
        }
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Exact(name) => name.clone(),
            Self::Beginning(beginning) => format!("{beginning}*"),
        }
    }
}

impl PathArea {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let is_plain = |path: &str| path.is_empty() || path.starts_with('/') && !path.contains(['*', '?', '#']);
        let remedy = || "write a path, \"/pay\", or all that is below one, \"/pay/*\"".to_owned();
        match text.strip_suffix("/*") {
            Some(path) if is_plain(path) => Ok(Self::Below(path.trim_end_matches('/').to_owned())),
            None if text.len() > 1 && is_plain(text) || text == "/" => Ok(Self::Exact(text.to_owned())),
            _ => Err((format!("{text:?} is no pattern of paths"), remedy())),
        }
    }

    fn covers(&self, path: &PathMatch) -> bool {
        match (self, path) {
            // Every path begins with a slash.
            (Self::Below(base), _) if base.is_empty() => true,
            (_, PathMatch::Any | PathMatch::Regex(_)) => false,
            (Self::Exact(exact), PathMatch::Exact(path)) => exact == path,
            (Self::Exact(_), PathMatch::Prefix(_)) => false,
            (Self::Below(base), PathMatch::Exact(path) | PathMatch::Prefix(path)) => {
                path.strip_prefix(base.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Exact(path) => path.clone(),
            Self::Below(base) => format!("{base}/*"),
        }
    }
}

/// A host of an area: as of a route.
pub(super) fn host(text: &str) -> Result<HostPattern, Wrong> {
    route::host(text)
}

fn host_covers(area: &HostPattern, host: &HostPattern) -> bool {
    let is_below = |host: &str, domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    match (area, host) {
        (HostPattern::Exact(area), HostPattern::Exact(host)) => area == host,
        (HostPattern::Exact(_), HostPattern::Wildcard(_)) => false,
        (HostPattern::Wildcard(domain), HostPattern::Exact(host)) => is_below(host, domain),
        (HostPattern::Wildcard(domain), HostPattern::Wildcard(other)) => other == domain || is_below(other, domain),
    }
}

impl Area {
    /// What of a route lies outside, if anything: which key of it.
    pub(super) fn outside(&self, route: &Route, listeners: &[Listener]) -> Option<&'static str> {
        let covered = |host: &HostPattern| self.hosts.iter().flatten().any(|area| host_covers(area, host));
        if self.hosts.is_some() && (route.hosts.is_empty() || !route.hosts.iter().all(covered)) {
            return Some("hosts");
        }
        if self.paths.as_ref().is_some_and(|paths| !paths.iter().any(|area| area.covers(&route.path))) {
            return Some("path");
        }
        let named = |index: &usize| listeners.get(*index).map(|listener| listener.name.as_str());
        let is_own = |names: &[String], indices: &[usize]| {
            indices.iter().filter_map(named).all(|name| names.iter().any(|own| own == name))
        };
        match (&self.listeners, &route.listeners) {
            (None, _) => None,
            (Some(names), ListenerSet::Only(indices)) if is_own(names, indices) => None,
            _ => Some("listeners"),
        }
    }

    /// What a route has to be like, for people.
    pub(super) fn describe(&self) -> String {
        let host = |host: &HostPattern| match host {
            HostPattern::Exact(host) => host.clone(),
            HostPattern::Wildcard(domain) => format!("*.{domain}"),
        };
        let list =
            |key: &str, values: Vec<String>| (!values.is_empty()).then(|| format!("{key} {}", values.join(", ")));
        let parts = [
            list("hosts", self.hosts.iter().flatten().map(host).collect()),
            list("paths", self.paths.iter().flatten().map(PathArea::text).collect()),
            list("listeners", self.listeners.clone().unwrap_or_default()),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "all requests".to_owned() } else { parts.join("; ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(area: &str, path: PathMatch) -> bool {
        PathArea::parse(area).unwrap().covers(&path)
    }

    #[test]
    fn an_area_of_paths_ends_at_a_segment() {
        let prefix = |path: &str| PathMatch::Prefix(path.to_owned());
        let exact = |path: &str| PathMatch::Exact(path.to_owned());
        assert!(
            covers("/pay/*", prefix("/pay")) && covers("/pay/*", exact("/pay/a")) && covers("/pay/*", prefix("/pay/a"))
        );
        assert!(
            !covers("/pay/*", prefix("/payroll"))
                && !covers("/pay/*", prefix("/"))
                && !covers("/pay/*", PathMatch::Any)
        );
        assert!(covers("/*", PathMatch::Any) && covers("/*", prefix("/")));
        assert!(covers("/pay", exact("/pay")) && !covers("/pay", prefix("/pay")));
        let regex = PathMatch::Regex(regex::Regex::new("^(?:/pay/.*)$").unwrap());
        assert!(!covers("/pay/*", regex.clone()) && covers("/*", regex));
        for wrong in ["", "*", "pay/*", "/p*y", "/pay*", "/a?b"] {
            assert!(PathArea::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_area_of_hosts_ends_at_a_label() {
        let covers = |area: &str, own: &str| host_covers(&host(area).unwrap(), &host(own).unwrap());
        assert!(
            covers("pay.test", "PAY.test") && covers("*.pay.test", "a.pay.test") && covers("*.pay.test", "*.pay.test")
        );
        assert!(covers("*.pay.test", "*.a.pay.test"));
        assert!(
            !covers("*.pay.test", "pay.test")
                && !covers("*.pay.test", "xpay.test")
                && !covers("pay.test", "*.pay.test")
        );
        assert!(!covers("*.pay.test", "*.test"));
    }

    #[test]
    fn name_spaces_overlap_if_a_name_could_be_in_both() {
        let overlap =
            |one: &str, other: &str| NamePattern::parse(one).unwrap().overlaps(&NamePattern::parse(other).unwrap());
        assert!(overlap("pay-*", "pay-card-*") && overlap("pay-key", "pay-*") && overlap("a", "a"));
        assert!(!overlap("pay-*", "pays-*") && !overlap("pay", "pay-*"));
    }
}
