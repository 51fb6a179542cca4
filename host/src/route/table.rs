//! The table of routes, built once per snapshot and searched once per request.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};
use regex::Regex;

use super::path::prefixes;

/// What a request must look like for a route. Empty lists match everything.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Any of these listeners, by name.
    pub listeners: Vec<Arc<str>>,
    /// Any of these hosts.
    pub hosts: Vec<HostCondition>,
    /// Any of these methods.
    pub methods: Vec<Method>,
    /// All of these fields.
    pub fields: Vec<(HeaderName, FieldCondition)>,
    /// This path.
    pub path: PathCondition,
}

/// A condition on the host, in lower case and without port.
#[derive(Clone, Debug)]
pub enum HostCondition {
    /// This host.
    Exact(String),
    /// Any host below this domain.
    Below(String),
}

/// A condition on a header field.
#[derive(Clone, Debug)]
pub enum FieldCondition {
    /// There is one.
    Present,
    /// One has this value.
    Exact(String),
    /// One has a value that matches as a whole.
    Matches(Regex),
}

/// A condition on the path, without the query.
#[derive(Clone, Debug)]
pub enum PathCondition {
    /// None.
    Any,
    /// This path.
    Exact(String),
    /// This path and those below it.
    Prefix(String),
    /// A path that matches as a whole.
    Matches(Regex),
}

/// Finds the route of a request.
#[derive(Debug)]
pub struct RouteTable<T> {
    routes: Vec<Entry<T>>,
    exact: HashMap<String, Paths>,
    below: HashMap<String, Paths>,
    any: Paths,
}

#[derive(Debug)]
struct Entry<T> {
    conditions: Conditions,
    target: T,
}

/// The routes of one host by path; each list is in order of precedence.
#[derive(Debug, Default)]
struct Paths {
    exact: HashMap<String, Vec<usize>>,
    matches: Vec<usize>,
    prefix: HashMap<String, Vec<usize>>,
    any: Vec<usize>,
}

impl<T> RouteTable<T> {
    /// Builds the table of the given routes, in the order as written.
    pub fn new(routes: impl IntoIterator<Item = (Conditions, T)>) -> Self {
        let mut table =
            Self { routes: Vec::new(), exact: HashMap::new(), below: HashMap::new(), any: Paths::default() };
        for (conditions, target) in routes {
            let index = table.routes.len();
            if conditions.hosts.is_empty() {
                table.any.insert(&conditions.path, index);
            }
            for host in &conditions.hosts {
                let paths = match host {
                    HostCondition::Exact(host) => table.exact.entry(host.clone()).or_default(),
                    HostCondition::Below(domain) => table.below.entry(domain.clone()).or_default(),
                };
                paths.insert(&conditions.path, index);
            }
            table.routes.push(Entry { conditions, target });
        }
        let weights: Vec<_> = table.routes.iter().map(|route| weight(&route.conditions)).collect();
        table
            .exact
            .values_mut()
            .chain(table.below.values_mut())
            .chain([&mut table.any])
            .for_each(|paths| paths.sort(&weights));
        table
    }

    /// The route of a request: the listener that it came in on, its host (in any case, with or without port), method,
    /// path without query, and fields.
    #[must_use]
    pub fn find(&self, listener: &str, host: &str, method: &Method, path: &str, fields: &HeaderMap) -> Option<&T> {
        let accepts = |index: &usize| self.routes[*index].conditions.accept(listener, method, fields);
        let found = self.hosts(host).find_map(|paths| paths.find(path, &self.routes, accepts));
        found.map(|index| &self.routes[index].target)
    }

    /// The groups of routes for a host, most specific first.
    fn hosts<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Paths> {
        let any = std::iter::once(&self.any);
        let named = (!self.exact.is_empty() || !self.below.is_empty()).then(|| self.named_hosts(host));
        named.into_iter().flatten().chain(any)
    }

    fn named_hosts(&self, host: &str) -> Vec<&Paths> {
        let host = without_port(host).to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        let exact = self.exact.get(host);
        let below = host.match_indices('.').filter_map(|(dot, _)| self.below.get(&host[dot + 1..]));
        exact.into_iter().chain(below).collect()
    }
}

/// `example.com:80` and `[::1]:80` without the port.
fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

/// What goes first among routes of the same host and path.
fn weight(conditions: &Conditions) -> (std::cmp::Reverse<usize>, bool) {
    (std::cmp::Reverse(conditions.fields.len()), conditions.methods.is_empty())
}

impl Paths {
    fn insert(&mut self, path: &PathCondition, index: usize) {
        match path {
            PathCondition::Any => self.any.push(index),
            PathCondition::Exact(path) => self.exact.entry(path.clone()).or_default().push(index),
            PathCondition::Prefix(path) => self.prefix.entry(path.clone()).or_default().push(index),
            PathCondition::Matches(_) => self.matches.push(index),
        }
    }

    fn sort(&mut self, weights: &[(std::cmp::Reverse<usize>, bool)]) {
        let lists = self.exact.values_mut().chain(self.prefix.values_mut()).chain([&mut self.any]);
        // A stable sort: equal routes stay in the order as written.
        lists.for_each(|list| list.sort_by_key(|index| weights[*index]));
    }

    fn find<T>(&self, path: &str, routes: &[Entry<T>], accepts: impl Fn(&usize) -> bool) -> Option<usize> {
        let first = |list: &Vec<usize>| list.iter().copied().find(&accepts);
        let matches = |index: &&usize| match &routes[**index].conditions.path {
            PathCondition::Matches(regex) => regex.is_match(path) && accepts(index),
            _ => false,
        };
        let exact = || self.exact.get(path).and_then(first);
        let regex = || self.matches.iter().find(matches).copied();
        let prefix = || prefixes(path).find_map(|prefix| self.prefix.get(prefix).and_then(first));
        exact().or_else(regex).or_else(prefix).or_else(|| first(&self.any))
    }
}

impl Conditions {
    fn accept(&self, listener: &str, method: &Method, fields: &HeaderMap) -> bool {
        (self.listeners.is_empty() || self.listeners.iter().any(|name| **name == *listener))
            && (self.methods.is_empty() || self.methods.contains(method))
            && self.fields.iter().all(|(name, condition)| condition.accepts(fields, name))
    }
}

impl FieldCondition {
    fn accepts(&self, fields: &HeaderMap, name: &HeaderName) -> bool {
        let mut values = fields.get_all(name).iter();
        match self {
            Self::Present => values.next().is_some(),
            Self::Exact(value) => values.any(|found| found.as_bytes() == value.as_bytes()),
            Self::Matches(regex) => values.any(|found| found.to_str().is_ok_and(|found| regex.is_match(found))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(hosts: &[&str], path: PathCondition, name: &'static str) -> (Conditions, &'static str) {
        let hosts = hosts.iter().map(|host| match host.strip_prefix("*.") {
            Some(domain) => HostCondition::Below(domain.into()),
            None => HostCondition::Exact((*host).into()),
        });
        let conditions =
            Conditions { listeners: vec![], hosts: hosts.collect(), methods: vec![], fields: vec![], path };
        (conditions, name)
    }

    fn prefix(path: &str) -> PathCondition {
        PathCondition::Prefix(path.into())
    }

    fn find(table: &RouteTable<&'static str>, host: &str, path: &str) -> Option<&'static str> {
        table.find("public", host, &Method::GET, path, &HeaderMap::new()).copied()
    }

    #[test]
    fn a_prefix_matches_on_segment_boundaries() {
        let table = RouteTable::new([route(&[], prefix("/orders"), "orders")]);
        assert_eq!(find(&table, "x", "/orders"), Some("orders"));
        assert_eq!(find(&table, "x", "/orders/7"), Some("orders"));
        assert_eq!(find(&table, "x", "/ordersx"), None);
        assert_eq!(find(&table, "x", "/"), None);
    }

    #[test]
    fn exact_goes_before_regex_before_longest_prefix_before_any() {
        let table = RouteTable::new([
            route(&[], PathCondition::Any, "any"),
            route(&[], prefix("/a"), "short"),
            route(&[], prefix("/a/b"), "long"),
            route(&[], PathCondition::Matches(Regex::new("^(?:/a/.*/z)$").unwrap()), "regex"),
            route(&[], PathCondition::Exact("/a/b/z".into()), "exact"),
        ]);
        assert_eq!(find(&table, "x", "/a/b/z"), Some("exact"));
        assert_eq!(find(&table, "x", "/a/c/z"), Some("regex"));
        assert_eq!(find(&table, "x", "/a/b/y"), Some("long"));
        assert_eq!(find(&table, "x", "/a/y"), Some("short"));
        assert_eq!(find(&table, "x", "/y"), Some("any"));
    }

    #[test]
    fn the_most_specific_host_goes_first_and_leaves_what_it_has_no_path_for() {
        let table = RouteTable::new([
            route(&[], PathCondition::Any, "any"),
            route(&["*.example.com"], prefix("/"), "wide"),
            route(&["*.eu.example.com"], prefix("/"), "narrow"),
            route(&["api.example.com"], prefix("/v1"), "exact"),
        ]);
        assert_eq!(find(&table, "API.example.com:8080", "/v1/x"), Some("exact"));
        assert_eq!(find(&table, "api.example.com", "/v2"), Some("wide"));
        assert_eq!(find(&table, "a.eu.example.com", "/"), Some("narrow"));
        assert_eq!(find(&table, "a.b.example.com.", "/"), Some("wide"));
        assert_eq!(find(&table, "example.com", "/"), Some("any"));
        assert_eq!(find(&table, "[::1]:80", "/"), Some("any"));
    }

    #[test]
    fn more_conditions_go_before_fewer() {
        let mut with_field = route(&[], prefix("/"), "field");
        with_field.0.fields.push((http::header::ACCEPT, FieldCondition::Exact("a".into())));
        let mut with_method = route(&[], prefix("/"), "method");
        with_method.0.methods.push(Method::POST);
        let table = RouteTable::new([route(&[], prefix("/"), "plain"), with_method, with_field]);
        let mut fields = HeaderMap::new();
        assert_eq!(table.find("public", "x", &Method::GET, "/", &fields), Some(&"plain"));
        assert_eq!(table.find("public", "x", &Method::POST, "/", &fields), Some(&"method"));
        fields.insert(http::header::ACCEPT, "a".parse().unwrap());
        assert_eq!(table.find("public", "x", &Method::POST, "/", &fields), Some(&"field"));
    }
}
