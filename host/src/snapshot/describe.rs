//! Routes for people to read: all of them in the order in which they are tried, and why a request takes one.

use http::{Method, request};
use serde_json::{Map, Value, json};

use super::Snapshot;
use super::routes::conditions;
use super::rules::path_rules;
use crate::config::Config;
use crate::route::{
    self, Action, ByClass, Conditions, Destination, Forward, HostCondition, Lookup, NewPath, PathCondition, PathError,
    PathRewrite, Redirect, RouteTable, Row, Unmet, ValueCondition,
};

/// What is to be said about a route beside its conditions.
struct Described<'a> {
    name: &'a str,
    policies: Vec<&'a str>,
    action: &'a Action,
    body_limit: Option<u64>,
}

/// Which route a request takes, and why none before it.
pub struct Explanation {
    /// The route; none if no route matches.
    pub taken: Option<Value>,
    /// Routes of the same host and path that go before it, with what keeps the request from them.
    pub passed_over: Vec<(String, String)>,
}

impl Snapshot {
    /// All routes in the order in which they are tried, once for each of their hosts.
    #[must_use]
    pub fn describe_routes(&self) -> Value {
        let upstreams: Vec<&str> = self.upstreams.iter().map(|upstream| upstream.name()).collect();
        let describe = |row: &Row<'_, usize>| {
            let target = &self.targets[*row.target];
            let policies = target.chain.policies().iter().map(|policy| &*policy.name).collect();
            let (action, body_limit) = (&target.action, target.body_limit);
            route(row, &Described { name: &target.name, policies, action, body_limit }, &upstreams)
        };
        self.routes.rows().iter().map(describe).collect()
    }
}

/// Explains the way of a request that comes in on the given listener, by the configuration alone.
///
/// # Errors
/// If its path has no normal form, so that it is refused.
pub fn explain(config: &Config, listener: &str, head: &request::Parts) -> Result<Explanation, PathError> {
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let normal = route::normalize(target, path_rules(config.paths))?;
    let (path, query) = match &normal {
        Some(normal) => normal.split_once('?').unwrap_or((normal, "")),
        None => (head.uri.path(), head.uri.query().unwrap_or_default()),
    };
    let routes = config.routes.iter().enumerate();
    let table = RouteTable::new(routes.map(|(index, route)| (conditions(route, config), index)));
    let lookup = Lookup {
        listener,
        host: head.uri.authority().map_or("", |authority| authority.as_str()),
        method: &head.method,
        path,
        query,
        fields: &head.headers,
    };
    let mut explanation = Explanation { taken: None, passed_over: Vec::new() };
    for row in table.rows() {
        match row.unmet(&lookup) {
            None => {
                explanation.taken = Some(configured(config, &row));
                break;
            }
            Some(Unmet::Listener | Unmet::Host | Unmet::Path) => {}
            Some(unmet) => explanation.passed_over.push((config.routes[*row.target].name.clone(), unmet.to_string())),
        }
    }
    Ok(explanation)
}

fn configured(config: &Config, row: &Row<'_, usize>) -> Value {
    let upstreams: Vec<&str> = config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    let of = &config.routes[*row.target];
    let policies = of.policies.iter().map(String::as_str).collect();
    let body_limit = of.body_limit.or(config.limits.body_limit);
    route(row, &Described { name: &of.name, policies, action: &of.action, body_limit }, &upstreams)
}

/// A route with the keys of the configuration; conditions that it does not have are left out.
fn route(row: &Row<'_, usize>, route: &Described<'_>, upstreams: &[&str]) -> Value {
    let mut shown = conditions_of(row);
    let mut show = |key: &str, value: Value| drop(shown.insert(key.to_owned(), value));
    show("route", route.name.into());
    show("policies", route.policies.clone().into());
    if let Some(limit) = route.body_limit {
        show("body-limit", limit.into());
    }
    match route.action {
        Action::Forward(forward) => forwarded(forward, upstreams, show),
        Action::Redirect(redirect) => show("redirect", redirected(redirect)),
        Action::Respond(answer) => show("respond", json!({ "status": answer.status.as_u16() })),
    }
    Value::Object(shown)
}

fn conditions_of(row: &Row<'_, usize>) -> Map<String, Value> {
    let Conditions { listeners, methods, fields, query, .. } = row.conditions;
    let named = |key: &str, value: Option<Value>| value.map(|value| (key.to_owned(), value));
    let some = |is_there: bool, value: Value| is_there.then_some(value);
    let shown = [
        named("host", row.host.map(|host| host_name(host).into())),
        named("path", path(&row.conditions.path)),
        named("listeners", some(!listeners.is_empty(), listeners.iter().map(|name| &**name).collect())),
        named("methods", some(!methods.is_empty(), methods.iter().map(Method::as_str).collect())),
        named("headers", some(!fields.is_empty(), values(fields.iter().map(|(name, value)| (name.as_str(), value))))),
        named("query", some(!query.is_empty(), values(query.iter().map(|(name, value)| (name.as_str(), value))))),
    ];
    shown.into_iter().flatten().collect()
}

fn host_name(host: &HostCondition) -> String {
    match host {
        HostCondition::Exact(host) => host.clone(),
        HostCondition::Below(domain) => format!("*.{domain}"),
    }
}

fn path(path: &PathCondition) -> Option<Value> {
    match path {
        PathCondition::Any => None,
        PathCondition::Exact(path) => Some(json!({ "exact": path })),
        PathCondition::Prefix(path) => Some(json!({ "prefix": path })),
        PathCondition::Matches(expression) => Some(json!({ "regex": as_written(expression.as_str()) })),
    }
}

fn values<'a>(conditions: impl Iterator<Item = (&'a str, &'a ValueCondition)>) -> Value {
    let shown = |(name, condition): (&str, &ValueCondition)| {
        let condition = match condition {
            ValueCondition::Present => json!({ "present": true }),
            ValueCondition::Exact(value) => json!({ "exact": value }),
            ValueCondition::Matches(expression) => json!({ "regex": as_written(expression.as_str()) }),
        };
        (name.to_owned(), condition)
    };
    Value::Object(conditions.map(shown).collect())
}

/// An expression that matches as a whole, without what makes it so.
fn as_written(expression: &str) -> &str {
    expression.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$")).unwrap_or(expression)
}

fn forwarded(forward: &Forward, upstreams: &[&str], mut show: impl FnMut(&str, Value)) {
    match &forward.to {
        Destination::One(upstream) => show("upstream", upstreams[*upstream].into()),
        Destination::ByClass(ByClass { classes, default }) => {
            let classes = classes.iter().map(|(class, upstream)| (class.to_string(), upstreams[*upstream].into()));
            show("split", json!({ "by-class": Value::Object(classes.collect()), "default": upstreams[*default] }));
        }
        split @ Destination::Split(_) => {
            let shares = split.upstreams().into_iter();
            let share = |(upstream, weight)| json!({ "upstream": upstreams[upstream], "weight": weight });
            show("split", shares.map(share).collect());
        }
    }
    if let Some(rewrite) = &forward.rewrite {
        let path = match &rewrite.path {
            PathRewrite::Kept => json!({}),
            PathRewrite::Prefix(change) => json!({ "prefix": change.with() }),
            PathRewrite::Expression(expression, to) => json!({ "regex": as_written(expression.as_str()), "to": to }),
        };
        let mut shown = path;
        if let Some(host) = &rewrite.host {
            shown["host"] = host.to_str().unwrap_or_default().into();
        }
        show("rewrite", shown);
    }
    if let Some(mirror) = &forward.mirror {
        show("mirror", json!({ "upstream": upstreams[mirror.upstream], "percent": mirror.percent }));
    }
}

fn redirected(redirect: &Redirect) -> Value {
    let mut shown = json!({ "status": redirect.status.as_u16() });
    if let Some(scheme) = redirect.scheme {
        shown["scheme"] = scheme.into();
    }
    if let Some(host) = &redirect.host {
        shown["host"] = host.as_str().into();
    }
    if let Some(port) = redirect.port {
        shown["port"] = port.into();
    }
    match &redirect.path {
        NewPath::Kept => {}
        NewPath::Fixed(path) => shown["path"] = path.as_str().into(),
        NewPath::Prefix(change) => shown["prefix"] = change.with().into(),
    }
    if redirect.strip_query {
        shown["strip-query"] = true.into();
    }
    shown
}
