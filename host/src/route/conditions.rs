//! What a request must look like for a route.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};
use regex::Regex;

use super::query;
use super::table::Lookup;

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
    pub fields: Vec<(HeaderName, ValueCondition)>,
    /// All of these parameters of the query.
    pub query: Vec<(String, ValueCondition)>,
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

/// A condition on a header field or on a parameter of the query, of which there may be several with the same name.
#[derive(Clone, Debug)]
pub enum ValueCondition {
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

impl Conditions {
    /// Whether the request meets all that host and path do not say.
    pub(super) fn accept(&self, request: &Lookup<'_>) -> bool {
        (self.listeners.is_empty() || self.listeners.iter().any(|name| **name == *request.listener))
            && (self.methods.is_empty() || self.methods.contains(request.method))
            && self.fields.iter().all(|(name, condition)| condition.accepts_field(request.fields, name))
            && self.query.iter().all(|(name, condition)| condition.accepts_parameter(request.query, name))
    }

    /// What goes first among routes of the same host and path: more conditions on values, then a method.
    pub(super) fn weight(&self) -> (std::cmp::Reverse<usize>, bool) {
        (std::cmp::Reverse(self.fields.len() + self.query.len()), self.methods.is_empty())
    }
}

impl ValueCondition {
    pub(super) fn accepts_field(&self, fields: &HeaderMap, name: &HeaderName) -> bool {
        let mut values = fields.get_all(name).iter();
        match self {
            Self::Present => values.next().is_some(),
            Self::Exact(value) => values.any(|found| found.as_bytes() == value.as_bytes()),
            Self::Matches(regex) => values.any(|found| found.to_str().is_ok_and(|found| regex.is_match(found))),
        }
    }

    pub(super) fn accepts_parameter(&self, query: &str, name: &str) -> bool {
        let mut values = query::values(query, name);
        match self {
            Self::Present => values.next().is_some(),
            Self::Exact(value) => values.any(|found| *found == *value.as_bytes()),
            Self::Matches(regex) => {
                values.any(|found| std::str::from_utf8(&found).is_ok_and(|found| regex.is_match(found)))
            }
        }
    }
}
