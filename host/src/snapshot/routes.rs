//! From routes as configured to conditions of the table.

use crate::config::{self, Config, HostPattern, ListenerSet, PathMatch, ValueMatch};
use crate::route::{Conditions, HostCondition, PathCondition, ValueCondition};

/// What a request must look like for a route.
pub(super) fn conditions(route: &config::Route, config: &Config) -> Conditions {
    let listeners = match &route.listeners {
        ListenerSet::All => Vec::new(),
        ListenerSet::Only(indices) => {
            indices.iter().map(|index| config.listeners[*index].name.as_str().into()).collect()
        }
    };
    Conditions {
        listeners,
        hosts: route.hosts.iter().map(host).collect(),
        methods: route.methods.clone(),
        fields: route.headers.iter().map(|field| (field.name.clone(), value(&field.value))).collect(),
        query: route.query.iter().map(|parameter| (parameter.name.clone(), value(&parameter.value))).collect(),
        path: path(&route.path),
    }
}

fn host(host: &HostPattern) -> HostCondition {
    match host {
        HostPattern::Exact(host) => HostCondition::Exact(host.clone()),
        HostPattern::Wildcard(domain) => HostCondition::Below(domain.clone()),
    }
}

fn value(value: &ValueMatch) -> ValueCondition {
    match value {
        ValueMatch::Present => ValueCondition::Present,
        ValueMatch::Exact(value) => ValueCondition::Exact(value.clone()),
        ValueMatch::Regex(regex) => ValueCondition::Matches(regex.clone()),
    }
}

fn path(path: &PathMatch) -> PathCondition {
    match path {
        PathMatch::Any => PathCondition::Any,
        PathMatch::Exact(path) => PathCondition::Exact(path.clone()),
        PathMatch::Prefix(path) => PathCondition::Prefix(path.clone()),
        PathMatch::Regex(regex) => PathCondition::Matches(regex.clone()),
    }
}
