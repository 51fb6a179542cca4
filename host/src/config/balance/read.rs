//! Reads the keys of an upstream that are not about where its endpoints are.

use std::{net::SocketAddr, time::Duration};

use http::{HeaderName, uri::PathAndQuery};

use super::{Balance, HashKey, HealthCheck, Outlier, Probe, Share, Statuses, Sticky, UpstreamLimits, UpstreamOptions};
use crate::config::{
    report::{At, Report, Wrong},
    section::{Item, Section},
};

/// Reads the keys and reports what is wrong with them.
pub(in crate::config) fn read(section: &mut Section<'_>) -> UpstreamOptions {
    let default = UpstreamOptions::default();
    UpstreamOptions {
        balance: section.take("balance").and_then(read_balance).unwrap_or(default.balance),
        sticky: section.take("sticky").and_then(Item::section).and_then(read_sticky),
        health: section.take("health").and_then(Item::section).and_then(read_health),
        outlier: section.take("outlier").and_then(Item::section).map(read_outlier),
        slow_start: section.take("slow-start").and_then(|item| item.duration(Duration::from_millis(10), HOUR)),
        panic_threshold: section.take("panic-threshold").and_then(Item::share).unwrap_or(default.panic_threshold),
        limits: section.take("limits").and_then(Item::section).map(read_limits).unwrap_or_default(),
        idle_connections: count(section, "idle-connections", 0, 65_536).unwrap_or(default.idle_connections),
        max_lifetime: section.take("max-lifetime").and_then(|item| item.duration(Duration::from_millis(1), 24 * HOUR)),
        warm: count(section, "warm", 0, 1_024).unwrap_or(default.warm),
        resolver: section.take("resolver").and_then(Item::string).and_then(|at| resolver(&at, section.report())),
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

fn count(section: &mut Section<'_>, key: &'static str, least: usize, most: usize) -> Option<usize> {
    section.take(key).and_then(|item| item.count(least, most))
}

fn small(section: &mut Section<'_>, key: &'static str, default: u32) -> u32 {
    count(section, key, 1, 1_000).and_then(|count| u32::try_from(count).ok()).unwrap_or(default)
}

fn span(section: &mut Section<'_>, key: &'static str, default: Duration) -> Duration {
    section.take(key).and_then(|item| item.duration(Duration::from_millis(10), HOUR)).unwrap_or(default)
}

fn resolver(at: &At<String>, report: &Report) -> Option<SocketAddr> {
    let wrong = || {
        let remedy = "write it like \"127.0.0.1:53\"".to_owned();
        (format!("{:?} is not an IP address with a port", at.value), remedy)
    };
    report.good(at, at.value.parse().map_err(|_| wrong()))
}

fn read_balance(item: Item<'_>) -> Option<Balance> {
    let remedy = "write \"round-robin\", \"least-requests\" or { hash = \"client-address\" }";
    let report = item.report();
    if item.is_table() {
        let mut section = item.section()?;
        let key = section.need("hash", "add hash = \"client-address\"").and_then(Item::string);
        section.finish();
        return key.and_then(|at| report.good(&at, hash_key(&at.value))).map(Balance::Hash);
    }
    let at = item.string()?;
    match at.value.as_str() {
        "round-robin" => Some(Balance::RoundRobin),
        "least-requests" => Some(Balance::LeastRequests),
        other => {
            report.at(&at, format!("{other:?} is not a way to balance"), remedy);
            None
        }
    }
}

fn hash_key(text: &str) -> Result<HashKey, Wrong> {
    let remedy = || "write \"client-address\", \"header:NAME\" or \"cookie:NAME\"".to_owned();
    let unknown = || (format!("{text:?} is not something to hash"), remedy());
    match text.split_once(':') {
        None if text == "client-address" => Ok(HashKey::ClientAddress),
        Some(("header", name)) => HeaderName::from_bytes(name.as_bytes()).map(HashKey::Header).map_err(|_| unknown()),
        Some(("cookie", name)) if is_token(name) => Ok(HashKey::Cookie(name.to_owned())),
        _ => Err(unknown()),
    }
}

/// What a cookie's name is made of (RFC 6265, section 4.1.1, after RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Shorter secrets can be guessed.
const LEAST_SECRET: usize = 16;

fn read_sticky(mut section: Section<'_>) -> Option<Sticky> {
    let report = section.report();
    let cookie = section.need("cookie", "add cookie = \"gateway\"").and_then(Item::string);
    let ttl = section.take("ttl").and_then(|item| item.duration(Duration::from_secs(1), 24 * 365 * HOUR));
    let secret = section.take("secret").and_then(Item::string);
    section.finish();
    let cookie = cookie.and_then(|at| match is_token(&at.value) {
        true => Some(at.value),
        false => {
            report.at(&at, format!("{:?} is not the name of a cookie", at.value), "write letters, digits and dashes");
            None
        }
    });
    if let Some(at) = secret.as_ref().filter(|at| at.value.len() < LEAST_SECRET) {
        report.at(at, "is too short", format!("write at least {LEAST_SECRET} characters, or leave it out"));
    }
    Some(Sticky { cookie: cookie?, ttl, secret: secret.map(|at| at.value) })
}

fn read_health(mut section: Section<'_>) -> Option<HealthCheck> {
    let (report, place) = (section.report(), section.place());
    let http = section.take("http").and_then(Item::string);
    let tcp = section.take("tcp").and_then(Item::boolean);
    let grpc = section.take("grpc").and_then(Item::string);
    let host = section.take("host").and_then(Item::string);
    let expect = section.take("expect").and_then(|item| statuses(item, "expect"));
    let (interval, timeout) = (Duration::from_secs(5), Duration::from_secs(2));
    let (interval, timeout) = (span(&mut section, "interval", interval), span(&mut section, "timeout", timeout));
    let (healthy, unhealthy) = (small(&mut section, "healthy", 2), small(&mut section, "unhealthy", 3));
    section.finish();
    if let Some(at) = tcp.as_ref().filter(|at| !at.value) {
        report.at(at, "is false", "write tcp = true, http = \"/…\" or grpc = \"…\"");
    }
    if http.is_none() && (host.is_some() || expect.is_some()) {
        report.at(&place, "has host or expect without http", "add http = \"/…\", or remove them");
    }
    let probe = match (http, tcp, grpc) {
        (Some(at), None, None) => {
            let path = report.good(&at, probe_path(&at.value))?;
            let host = host.and_then(|at| report.good(&at, probe_host(&at.value)));
            Probe::Http { path, host, expect: expect.unwrap_or_else(|| Statuses::range(200, 299)) }
        }
        (None, Some(_), None) => Probe::Tcp,
        (None, None, Some(at)) => Probe::Grpc { service: at.value },
        _ if report.concerns(&place.key) => return None,
        _ => {
            report.at(&place, "needs exactly one of http, tcp, grpc", "write one of them");
            return None;
        }
    };
    Some(HealthCheck { probe, interval, timeout, healthy, unhealthy })
}

fn probe_path(text: &str) -> Result<PathAndQuery, Wrong> {
    let path = text.parse().ok().filter(|_| text.starts_with('/'));
    path.ok_or_else(|| (format!("{text:?} is not a path"), "write it like \"/healthz\"".to_owned()))
}

fn probe_host(text: &str) -> Result<String, Wrong> {
    match text.parse::<http::uri::Authority>() {
        Ok(_) if !text.contains('@') => Ok(text.to_owned()),
        _ => Err((format!("{text:?} is not a host"), "write it like \"orders.example.com\"".to_owned())),
    }
}

/// Statuses as numbers or texts.
fn statuses(item: Item<'_>, key: &str) -> Option<Statuses> {
    let (report, place) = (item.report(), item.place());
    let remedy = "write statuses such as 503, or classes such as \"5xx\"";
    if item.is_empty_array() {
        report.at(&place, "is empty", format!("leave {key} out, or {remedy}"));
    }
    let mut statuses = Statuses::default();
    for item in item.array()? {
        let at = item.place();
        let text = item.number_or_string(remedy)?;
        if statuses.add(&text).is_none() {
            report.at(&at, format!("{text:?} is not a status"), remedy);
        }
    }
    Some(statuses)
}

fn read_outlier(mut section: Section<'_>) -> Outlier {
    let outlier = Outlier {
        failures: small(&mut section, "failures", 5),
        interval: span(&mut section, "interval", Duration::from_secs(10)),
        ejection: span(&mut section, "ejection", Duration::from_secs(30)),
        max_ejected: section.take("max-ejected").and_then(Item::share).unwrap_or(Share::per_mille(500)),
    };
    section.finish();
    outlier
}

fn read_limits(mut section: Section<'_>) -> UpstreamLimits {
    let most = 10_000_000;
    let connections = count(&mut section, "connections", 1, most);
    let pending = section.take("pending");
    if let (Some(item), None) = (&pending, connections) {
        item.report().at(
            &item.place(),
            "bounds who waits for a connection, but connections are not bounded",
            "add connections",
        );
    }
    let limits = UpstreamLimits {
        connections,
        pending: pending.and_then(|item| item.count(0, most)).or(connections).unwrap_or_default(),
        requests: count(&mut section, "requests", 1, most),
    };
    section.finish();
    limits
}
