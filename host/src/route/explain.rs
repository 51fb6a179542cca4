//! Why a request does not take a route, for people to read.

use std::fmt;

use http::HeaderName;

use super::conditions::{HostCondition, PathCondition};
use super::path::below;
use super::table::{Lookup, Row, comparable};

/// The first condition that a request does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet<'a> {
    /// It came in elsewhere.
    Listener,
    /// It is for another host.
    Host,
    /// It has another path.
    Path,
    /// It has another method.
    Method,
    /// A field is missing or says something else.
    Field(&'a HeaderName),
    /// A parameter of the query is missing or says something else.
    Parameter(&'a str),
}

impl<'a, T> Row<'a, T> {
    /// What keeps a request from this route, if anything does.
    #[must_use]
    pub fn unmet(&self, request: &Lookup<'_>) -> Option<Unmet<'a>> {
        let conditions = self.conditions;
        if !(conditions.listeners.is_empty() || conditions.listeners.iter().any(|name| **name == *request.listener)) {
            return Some(Unmet::Listener);
        }
        if !self.host.is_none_or(|host| host.accepts(&comparable(request.host))) {
            return Some(Unmet::Host);
        }
        if !conditions.path.accepts(request.path) {
            return Some(Unmet::Path);
        }
        let mut fields = conditions.fields.iter();
        if let Some((name, _)) = fields.find(|(name, wanted)| !wanted.accepts_field(request.fields, name)) {
            return Some(Unmet::Field(name));
        }
        let mut parameters = conditions.query.iter();
        if let Some((name, _)) = parameters.find(|(name, wanted)| !wanted.accepts_parameter(request.query, name)) {
            return Some(Unmet::Parameter(name));
        }
        (!conditions.accept(request)).then_some(Unmet::Method)
    }
}

impl HostCondition {
    fn accepts(&self, host: &str) -> bool {
        match self {
            Self::Exact(wanted) => host == wanted,
            Self::Below(domain) => host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.')),
        }
    }
}

impl PathCondition {
    fn accepts(&self, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(wanted) => path == wanted,
            Self::Prefix(prefix) => below(path, prefix.trim_end_matches('/')).is_some(),
            Self::Matches(expression) => expression.is_match(path),
        }
    }
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener => f.write_str("another listener"),
            Self::Host => f.write_str("another host"),
            Self::Path => f.write_str("another path"),
            Self::Method => f.write_str("another method"),
            Self::Field(name) => write!(f, "the header {name} does not match"),
            Self::Parameter(name) => write!(f, "the query parameter {name:?} does not match"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use regex::Regex;

    use super::super::conditions::{Conditions, ValueCondition};
    use super::super::table::RouteTable;
    use super::*;

    fn conditions(host: &str, path: PathCondition) -> Conditions {
        let host = match host.strip_prefix("*.") {
            Some(domain) => HostCondition::Below(domain.into()),
            None => HostCondition::Exact(host.into()),
        };
        Conditions { listeners: vec![], hosts: vec![host], methods: vec![], fields: vec![], query: vec![], path }
    }

    #[test]
    fn the_first_row_that_is_met_is_what_the_search_finds() {
        let expressions = ["/a/.*", "/.*b", "//?"].map(|regex| Regex::new(&format!("^(?:{regex})$")).unwrap());
        let plain = ["/", "/a", "/a/b"].map(str::to_owned);
        let paths: Vec<_> = [PathCondition::Any]
            .into_iter()
            .chain(expressions.map(PathCondition::Matches))
            .chain(plain.clone().map(PathCondition::Exact))
            .chain(plain.map(PathCondition::Prefix))
            .collect();
        let all =
            || ["a.test", "*.test", "*.a.test"].into_iter().flat_map(|host| paths.iter().map(move |path| (host, path)));
        // With fewer routes each time, so that each of them is found now and then.
        for left_out in 0..all().count() {
            let routes = all().enumerate().filter(|(number, _)| *number >= left_out);
            let table = RouteTable::new(routes.map(|(number, (host, path))| (conditions(host, path.clone()), number)));
            for host in ["a.test", "A.Test.:80", "x.a.test", "test", "atest", "[::1]:80"] {
                for path in ["/", "/a", "/a/", "/ab", "/a/b", "/a/b/c", "//", "*"] {
                    let (method, listener, query, fields) = (&Method::GET, "public", "", &HeaderMap::new());
                    let lookup = Lookup { listener, host, method, path, query, fields };
                    let row = table.rows().into_iter().find(|row| row.unmet(&lookup).is_none());
                    assert_eq!(row.map(|row| row.target), table.find(&lookup), "{lookup:?}");
                }
            }
        }
    }

    #[test]
    fn the_first_condition_that_is_not_met_is_named() {
        let mut conditions = conditions("a.test", PathCondition::Any);
        conditions.methods.push(Method::POST);
        conditions.fields.push((http::header::ACCEPT, ValueCondition::Present));
        conditions.query.push(("v".into(), ValueCondition::Exact("2".into())));
        let table = RouteTable::new([(conditions, ())]);
        let mut fields = HeaderMap::new();
        let unmet = |method, query, fields: &HeaderMap| {
            let lookup = Lookup { listener: "public", host: "a.test", method, path: "/", query, fields };
            table.rows()[0].unmet(&lookup).map(|unmet| unmet.to_string())
        };
        assert_eq!(unmet(&Method::GET, "", &fields).unwrap(), "the header accept does not match");
        fields.insert(http::header::ACCEPT, "x".parse().unwrap());
        assert_eq!(unmet(&Method::GET, "v=1", &fields).unwrap(), "the query parameter \"v\" does not match");
        assert_eq!(unmet(&Method::GET, "v=2", &fields).unwrap(), "another method");
        assert_eq!(unmet(&Method::POST, "v=2", &fields), None);
    }
}
