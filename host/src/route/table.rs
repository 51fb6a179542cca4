//! The table of routes, built once per snapshot and searched once per request.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use http::{HeaderMap, Method};

use super::conditions::{Conditions, HostCondition};
use super::paths::Paths;

/// The longest host that a route can name (RFC 1035, section 2.3.4).
const LONGEST_HOST: usize = 253;

/// What is known of a request when its route is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// The listener that it came in on.
    pub listener: &'a str,
    /// Its host, in any case, with or without port.
    pub host: &'a str,
    /// Its method.
    pub method: &'a Method,
    /// Its path, without the query.
    pub path: &'a str,
    /// Its query, empty if it has none.
    pub query: &'a str,
    /// Its fields.
    pub fields: &'a HeaderMap,
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

/// A route as it stands in the order of precedence: once for each of its hosts.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a, T> {
    /// The host; none if the route takes any.
    pub host: Option<&'a HostCondition>,
    /// All conditions.
    pub conditions: &'a Conditions,
    /// What the route leads to.
    pub target: &'a T,
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
                table.host(host).insert(&conditions.path, index);
            }
            table.routes.push(Entry { conditions, target });
        }
        let weights: Vec<_> = table.routes.iter().map(|route| route.conditions.weight()).collect();
        let named = table.exact.values_mut().chain(table.below.values_mut());
        named.chain([&mut table.any]).for_each(|paths| paths.finish(&weights));
        table
    }

    fn host(&mut self, host: &HostCondition) -> &mut Paths {
        match host {
            HostCondition::Exact(host) => self.exact.entry(host.clone()).or_default(),
            HostCondition::Below(domain) => self.below.entry(domain.clone()).or_default(),
        }
    }

    /// The route of a request. Allocates nothing, unless its host is not in lower case.
    #[must_use]
    pub fn find(&self, request: &Lookup<'_>) -> Option<&T> {
        let found = self.find_by_host(request).or_else(|| self.find_among(&self.any, request));
        found.map(|index| &self.routes[index].target)
    }

    /// Among the routes that name hosts, most specific first.
    fn find_by_host(&self, request: &Lookup<'_>) -> Option<usize> {
        if self.exact.is_empty() && self.below.is_empty() {
            return None;
        }
        let host = comparable(request.host);
        // Else the search among domains would take as long as a client likes.
        if host.len() > LONGEST_HOST {
            return None;
        }
        let below = host.match_indices('.').filter_map(|(dot, _)| self.below.get(&host[dot + 1..]));
        self.exact.get(&*host).into_iter().chain(below).find_map(|paths| self.find_among(paths, request))
    }

    fn find_among(&self, paths: &Paths, request: &Lookup<'_>) -> Option<usize> {
        paths.find(request.path, |index| self.routes[index].conditions.accept(request))
    }

    /// All routes in the order in which they are tried, for people to read.
    #[must_use]
    pub fn rows(&self) -> Vec<Row<'_, T>> {
        let mut hosts: Vec<_> = self.routes.iter().flat_map(|route| &route.conditions.hosts).collect();
        hosts.sort_by_key(|host| precedence(host));
        hosts.dedup_by_key(|host| precedence(host));
        let named = hosts.into_iter().filter_map(|host| Some((Some(host), self.paths_of(host)?)));
        let row = |host, index: usize| {
            let Entry { conditions, target } = &self.routes[index];
            Row { host, conditions, target }
        };
        let all = named.chain([(None, &self.any)]);
        all.flat_map(|(host, paths)| paths.all().map(move |index| row(host, index))).collect()
    }

    fn paths_of(&self, host: &HostCondition) -> Option<&Paths> {
        match host {
            HostCondition::Exact(host) => self.exact.get(host),
            HostCondition::Below(domain) => self.below.get(domain),
        }
    }
}

/// Exact hosts first, then the longest domains.
fn precedence(host: &HostCondition) -> (bool, Reverse<usize>, &str) {
    match host {
        HostCondition::Exact(host) => (false, Reverse(0), host),
        HostCondition::Below(domain) => (true, Reverse(domain.len()), domain),
    }
}

/// A host as routes name it: in lower case, without port and final dot.
pub(super) fn comparable(host: &str) -> Cow<'_, str> {
    let host = without_port(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(host.to_ascii_lowercase()),
        false => Cow::Borrowed(host),
    }
}

/// `example.com:80` and `[::1]:80` without the port.
fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;
    use regex::Regex;

    use super::super::conditions::{PathCondition, ValueCondition};
    use super::*;

    type Table = RouteTable<&'static str>;

    fn route(hosts: &[&str], path: PathCondition, name: &'static str) -> (Conditions, &'static str) {
        let hosts = hosts.iter().map(|host| match host.strip_prefix("*.") {
            Some(domain) => HostCondition::Below(domain.into()),
            None => HostCondition::Exact((*host).into()),
        });
        let hosts = hosts.collect();
        (Conditions { listeners: vec![], hosts, methods: vec![], fields: vec![], query: vec![], path }, name)
    }

    fn prefix(path: &str) -> PathCondition {
        PathCondition::Prefix(path.into())
    }

    fn regex(expression: &str) -> PathCondition {
        PathCondition::Matches(Regex::new(&format!("^(?:{expression})$")).unwrap())
    }

    /// Where `GET` of a path with its query leads.
    fn find(table: &Table, host: &str, target: &str) -> Option<&'static str> {
        ask(table, host, &Method::GET, target, &HeaderMap::new())
    }

    fn ask(table: &Table, host: &str, method: &Method, target: &str, fields: &HeaderMap) -> Option<&'static str> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        table.find(&Lookup { listener: "public", host, method, path, query, fields }).copied()
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
            route(&[], regex("/a/.*/z"), "regex"),
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
        assert_eq!(find(&table, &("a.".repeat(200) + "example.com"), "/"), Some("any"), "no such host can be named");
    }

    #[test]
    fn more_conditions_go_before_fewer() {
        let mut with_value = route(&[], prefix("/"), "value");
        with_value.0.fields.push((ACCEPT, ValueCondition::Exact("a".into())));
        let mut with_both = route(&[], prefix("/"), "both");
        with_both.0.fields.push((ACCEPT, ValueCondition::Present));
        with_both.0.query.push(("v".into(), ValueCondition::Exact("2".into())));
        let mut with_method = route(&[], prefix("/"), "method");
        with_method.0.methods.push(Method::POST);
        let table = RouteTable::new([route(&[], prefix("/"), "plain"), with_method, with_value, with_both]);
        let mut fields = HeaderMap::new();
        assert_eq!(ask(&table, "x", &Method::GET, "/?v=2", &fields), Some("plain"));
        assert_eq!(ask(&table, "x", &Method::POST, "/", &fields), Some("method"));
        fields.insert(ACCEPT, "a".parse().unwrap());
        assert_eq!(ask(&table, "x", &Method::POST, "/?v=1", &fields), Some("value"));
        assert_eq!(ask(&table, "x", &Method::POST, "/?v=1&v=2", &fields), Some("both"));
    }

    #[test]
    fn conditions_on_the_query_are_kept_like_those_on_fields() {
        let with = |condition, name| {
            let mut route = route(&[], PathCondition::Any, name);
            route.0.query.push(("v".into(), condition));
            route
        };
        let table = RouteTable::new([
            with(ValueCondition::Exact("a b".into()), "exact"),
            with(ValueCondition::Matches(Regex::new("^(?:[0-9]+)$").unwrap()), "regex"),
            with(ValueCondition::Present, "present"),
        ]);
        let taken = ["/?v=a%20b", "/?x&v=17", "/?v=17x", "/?v", "/?x=v", "/"].map(|target| find(&table, "x", target));
        assert_eq!(taken, [Some("exact"), Some("regex"), Some("present"), Some("present"), None, None]);
    }

    #[test]
    fn many_expressions_are_tried_in_the_order_as_written() {
        let mut beta = route(&[], regex("/v[0-9]/.*"), "beta");
        beta.0.fields.push((ACCEPT, ValueCondition::Present));
        let table = RouteTable::new([
            beta,
            route(&[], regex("/v1/.*"), "one"),
            route(&[], regex("/v[12]/users"), "two"),
            route(&[], regex("/.*/users"), "any"),
        ]);
        assert_eq!(find(&table, "x", "/v1/users"), Some("one"));
        assert_eq!(find(&table, "x", "/v2/users"), Some("two"));
        assert_eq!(find(&table, "x", "/v3/users"), Some("any"));
        assert_eq!(find(&table, "x", "/v3"), None);
        let fields = HeaderMap::from_iter([(ACCEPT, "a".parse().unwrap())]);
        assert_eq!(ask(&table, "x", &Method::GET, "/v1/users", &fields), Some("beta"));
    }

    #[test]
    fn rows_are_in_the_order_in_which_they_are_tried() {
        let table = RouteTable::new([
            route(&[], PathCondition::Any, "any"),
            route(&["*.a.test", "b.test"], prefix("/"), "two hosts"),
            route(&["*.x.a.test"], prefix("/"), "narrow"),
            route(&["b.test"], prefix("/long"), "long"),
            route(&["b.test"], regex("/.*"), "regex"),
            route(&["b.test"], PathCondition::Exact("/".into()), "exact"),
        ]);
        let rows: Vec<_> = table.rows().iter().map(|row| *row.target).collect();
        assert_eq!(rows, ["exact", "regex", "long", "two hosts", "narrow", "two hosts", "any"]);
    }
}
