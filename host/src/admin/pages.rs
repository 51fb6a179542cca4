//! The pages.

use std::time::UNIX_EPOCH;

use http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use serde_json::{Value, json};

use super::catalogue::{self, Wanted};
use super::{Admin, trial};
use crate::config::Problem;
use crate::deploy::Held;
use crate::snapshot::{Listing, PolicyStatus, PulledStatus, Snapshot};

impl Admin {
    pub(super) fn page(&self, method: &Method, uri: &Uri, fields: &HeaderMap) -> Response<String> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut page = page(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET or HEAD only\n");
            page.headers_mut().insert(header::ALLOW, http::HeaderValue::from_static("GET, HEAD"));
            return page;
        }
        match uri.path() {
            "/live" => page(StatusCode::OK, "text/plain", "live\n"),
            "/ready" if self.snapshot().is_none() => starting(),
            "/ready" if self.unready.is_cancelled() => {
                page(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "draining\n")
            }
            "/ready" => page(StatusCode::OK, "text/plain", "ready\n"),
            "/metrics" => page(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.metrics.render()),
            "/policies" => self.about(|snapshot| self.policies(snapshot)),
            "/routes" => self.about(routes),
            "/upstreams" => self.about(upstreams),
            "/catalogue" => self.catalogue(uri.query(), fields),
            "/history" => page(StatusCode::OK, "application/json", format!("{:#}\n", self.history(uri.query()))),
            "/faults" => page(StatusCode::OK, "application/json", format!("{:#}\n", self.faults(uri.query()))),
            // GET has events instead.
            "/events" => page(StatusCode::OK, "application/x-ndjson", ""),
            _ => page(
                StatusCode::NOT_FOUND,
                "text/plain",
                "the pages are /live, /ready, /metrics, /policies, /routes, /upstreams, /catalogue, /history, /faults and /events\n",
            ),
        }
    }

    /// A page about what serves.
    fn about(&self, tell: impl Fn(&Snapshot) -> Value) -> Response<String> {
        match self.snapshot() {
            Some(snapshot) => page(StatusCode::OK, "application/json", format!("{:#}\n", tell(&snapshot))),
            None => starting(),
        }
    }

    /// What there is in the catalogue. Without one, there are the filters that are part of the gateway.
    fn catalogue(&self, query: Option<&str>, fields: &HeaderMap) -> Response<String> {
        let Some(snapshot) = self.snapshot() else { return starting() };
        let listing = snapshot.catalogue.clone().unwrap_or_else(|| Listing::of_bundled(None, &[]));
        let accepted = fields.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
        catalogue::catalogue(listing, &Wanted::of(query), accepted.contains("text/html"))
    }

    /// The newest changes, the newest first; with `?policy=NAME` those of one policy.
    fn history(&self, query: Option<&str>) -> Value {
        let wanted = policy_of(query);
        let mut records = self.journal.newest();
        records.retain(|record| wanted.is_none() || record.policy == wanted);
        records.reverse();
        json!({ "history": records })
    }

    /// The newest faults, as far as they were logged, the newest first; with `?policy=NAME` those of one policy.
    fn faults(&self, query: Option<&str>) -> Value {
        json!({ "faults": self.metrics.feed.faults(policy_of(query).as_deref()) })
    }

    fn policies(&self, snapshot: &Snapshot) -> Value {
        let rejection = self.outcome.rejection().map(|rejection| {
            let at = rejection.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            json!({ "at": at, "problems": problems(&rejection.problems) })
        });
        json!({
            "generation": snapshot.generation,
            "policies-dir": snapshot.policies_dir.as_ref().map(|dir| std::path::absolute(dir).unwrap_or_else(|_| dir.clone())),
            "rejected-change": rejection,
            "certificates": { "last-error": problems(&snapshot.kept_certificates) },
            "secrets": { "last-error": problems(&snapshot.kept_secrets) },
            "policies": snapshot.statuses.iter().map(|status| policy(status, snapshot)).collect::<Vec<_>>(),
            "routes": snapshot.targets.iter().map(|target| json!({
                "name": &*target.name,
                "policies": target.chain.policies().iter().map(|policy| &*policy.name).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })
    }
}

fn upstreams(snapshot: &Snapshot) -> Value {
    let upstreams = snapshot.upstreams.iter().map(|upstream| {
        let endpoints = upstream.status().into_iter().map(|status| {
            json!({
                "name": status.endpoint.to_string(),
                "address": status.endpoint.address.to_string(),
                "weight": status.weight,
                "state": status.state.label(),
                "used": status.endpoint.metrics.is_up(),
                "last-check-error": status.complaint,
                "requests": status.endpoint.metrics.requests(),
                "failures": status.endpoint.metrics.failures(),
            })
        });
        json!({
            "name": upstream.name(),
            "panic": upstream.is_in_panic(),
            "endpoints": endpoints.collect::<Vec<_>>(),
        })
    });
    json!({ "generation": snapshot.generation, "upstreams": upstreams.collect::<Vec<_>>() })
}

fn routes(snapshot: &Snapshot) -> Value {
    json!({ "generation": snapshot.generation, "routes": snapshot.describe_routes() })
}

/// The policy that a query names with `policy=NAME`.
pub(super) fn policy_of(query: Option<&str>) -> Option<String> {
    query?.split('&').find_map(|pair| pair.strip_prefix("policy=")).map(percent_decoded)
}

pub(super) fn percent_decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let code = if first == b'%' { after.get(..2) } else { None };
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Nothing serves yet.
fn starting() -> Response<String> {
    page(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "starting\n")
}

fn policy(status: &PolicyStatus, snapshot: &Snapshot) -> Value {
    let degraded = snapshot.is_degraded(&status.name);
    let teams = snapshot.catalogue.iter().flat_map(|catalogue| &catalogue.teams);
    let team = teams.into_iter().find(|team| team.policies.contains(&status.name));
    json!({
        "name": status.name,
        "team": team.map(|team| &team.name),
        "filter": status.filter,
        "module": status.title.as_ref().map(|title| json!({ "name": title.name, "version": title.version })),
        "digest": status.digest.map(|digest| format!("sha256:{digest}")),
        "version": status.version.map(|version| version.to_string()),
        "held": status.held.as_ref().map(held),
        "source": status.pulled.as_ref().map(source),
        "state": if degraded { "degraded" } else { status.state.label() },
        "last-error": problems(&status.problems),
        "no-longer-trusted": problems(&status.distrusted),
        "trial": snapshot.trial_of(&status.name).map(|trial| trial::shown(&trial.course)),
        "tick": tick(&status.name, snapshot),
    })
}

/// Where a policy's module was fetched from.
fn source(pulled: &PulledStatus) -> Value {
    json!({
        "reference": pulled.reference,
        "artifact": pulled.artifact.as_ref().map(ToString::to_string),
        "signed-by": pulled.signed_by,
        "fetched": pulled.fetched_at(),
        "last-error": pulled.failure(),
    })
}

/// How a policy's ticks stand, if it has any.
fn tick(policy: &str, snapshot: &Snapshot) -> Value {
    let policy = snapshot.policies.iter().find(|known| *known.name == *policy);
    let Some((policy, every)) = policy.and_then(|policy| Some((policy, policy.filter.subscription.tick()?))) else {
        return Value::Null;
    };
    let status = policy.metrics.ticks.status();
    json!({
        "every-ms": every.as_millis(),
        "last-done": status.done_at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(|since| since.as_secs()),
        "failures": status.failures,
        "last-error": status.error,
    })
}

fn held(held: &Held) -> Value {
    match held {
        Held::Pinned(version) => json!({ "how": "pinned", "to": version }),
        Held::Paused(version) => json!({ "how": "paused", "to": version }),
        Held::RolledBack(version, to, why) => json!({ "how": "rolled-back", "from": version, "to": to, "why": why }),
    }
}

fn problems(problems: &[Problem]) -> Value {
    match problems {
        [] => Value::Null,
        _ => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n").into(),
    }
}

pub(super) fn page(status: StatusCode, kind: &'static str, text: impl Into<String>) -> Response<String> {
    let mut page = Response::new(text.into());
    *page.status_mut() = status;
    page.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    page
}
