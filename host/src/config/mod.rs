//! The configuration: from what is written to what the gateway runs on.
//!
//! A TOML file goes through four hands. `document` reads its text, `section` takes the keys of a table and knows
//! the line of each, `file`, `route_file` and `policy_file` say which keys there are, and `check` with `route` and `action`
//! finds out what the values mean. What comes out is `model`, which cannot be wrong. Each hand reports all that it finds to a
//! `report` and goes on, so that [`load`] gives all problems at once.
//!
//! `policy_dir` does the same for the policies directory, where a problem stays with its policy; `flags` is the
//! form without a config file. `catalogue` says what teams may do of all this, and holds them to it.

mod action;
mod balance;
mod call;
mod capture;
pub mod cases;
mod catalogue;
mod check;
mod document;
mod endpoints;
mod file;
mod files;
mod filters;
mod flags;
mod forward_identity;
mod grants;
mod json;
mod lines;
mod listener;
mod model;
mod moment;
mod names;
mod network;
mod on_fault;
mod overload;
mod places;
mod policies;
mod policy_dir;
mod policy_file;
mod problem;
mod quarantine;
mod redis;
mod registries;
mod report;
mod restore;
mod rewrite;
mod route;
mod route_file;
mod script;
mod secret;
mod section;
mod state_dir;
mod store;
mod tls;
mod toml_text;
mod tracing;
mod transport;
mod trial;
mod trust;
mod units;
mod upstream;
mod written_grants;

#[cfg(test)]
mod tests;

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf};

pub use self::{
    balance::{
        Balance, HashKey, HealthCheck, Outlier, Probe, Share, Statuses, Sticky, UpstreamLimits, UpstreamOptions,
    },
    call::{CallOptions, Retry},
    capture::Capture,
    catalogue::{Area, Catalogue, NamePattern, Quota, SharedFilter, Team, Visibility},
    files::{Files, Recording},
    forward_identity::{ForwardIdentity, IdentityPart},
    grants::{FieldPattern, Grant, Grants, StoreGrant},
    lines::Lines,
    listener::{ListenerOptions, ProxyProtocol, RedirectHttps},
    model::{
        Config, EncodedSlash, Endpoint, EndpointSource, FilterSource, HeaderMatch, HostPattern, Isolation, Limits,
        Listener, ListenerSet, PathMatch, Paths, Place, Policy, PolicyEntry, PolicyLimits, QueryMatch, Route, Upstream,
        UpstreamTimeouts, ValueMatch,
    },
    moment::show_moment,
    names::suggest,
    network::Network,
    on_fault::{FaultAnswer, OnFault},
    overload::Overload,
    places::PlacePattern,
    problem::Problem,
    quarantine::Quarantine,
    redis::{Redis, Secret},
    registries::registries_of,
    restore::WrittenPolicy,
    script::{Language, is_code},
    secret::{SecretEntry, SecretSource},
    state_dir::state_dir_of,
    store::{OnOutage, Store},
    tls::{CertificateFiles, ClientAuth, Tls, TlsProfile},
    toml_text::{quote, toml_text},
    tracing::{Collector, Tracing},
    transport::{Transport, UpstreamTls},
    trial::{Canary, Trial, TrialMode, TrialRules},
    trust::{About, Trust, Unsigned},
    written_grants::grants_with,
};

/// Where the configuration comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A config file: `tollgate run --config tollgate.toml`.
    File(PathBuf),
    /// Flags alone, the form without a config file: `tollgate run --listen … --upstream … --policies …`.
    Flags(Flags),
}

/// The form without a config file: everything goes to one upstream through all policies of the directory.
#[derive(Debug, Clone)]
pub struct Flags {
    /// `--listen`: the addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// `--upstream`: where requests go, as `http://host:port` or `https://host:port`.
    pub upstream: String,
    /// `--policies`: the directory of policies.
    pub policies: Option<PathBuf>,
}

/// What flags may say over either source; each that is set wins over the config file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--admin`.
    pub admin: Option<SocketAddr>,
    /// `--workers`.
    pub workers: Option<NonZeroUsize>,
    /// `--access-log`.
    pub access_log: bool,
    /// `--state-dir`.
    pub state_dir: Option<PathBuf>,
    /// `--no-last-known-good`.
    pub no_last_known_good: bool,
}

/// Reads the configuration and reports all that is wrong with it at once.
///
/// `bundled` are the names of the filters that are part of the gateway.
pub fn load(source: &Source, overrides: &Overrides, bundled: &[&str]) -> Result<Config, Vec<Problem>> {
    load_from(&Files::on_disk(), source, overrides, bundled)
}

/// As [`load`], from files that are there or were once, and that remember what was read of them.
pub fn load_from(
    files: &Files,
    source: &Source,
    overrides: &Overrides,
    bundled: &[&str],
) -> Result<Config, Vec<Problem>> {
    let config = match source {
        Source::File(path) => check::load(files, path, bundled),
        Source::Flags(flags) => flags::load(files, flags, bundled),
    }?;
    overrides.apply(config)
}

impl Overrides {
    fn apply(&self, mut config: Config) -> Result<Config, Vec<Problem>> {
        config.admin = self.admin.or(config.admin);
        config.workers = self.workers.or(config.workers);
        config.access_log |= self.access_log;
        config.state_dir = self.state_dir.clone().or(config.state_dir);
        let taken = |admin| config.listeners.iter().find(|listener| listener.address == admin && admin.port() != 0);
        let Some(listener) = self.admin.and_then(taken) else {
            return Ok(config);
        };
        let report = report::Report::new("--admin");
        let message = format!("{} is the address of listener {:?} already", listener.address, listener.name);
        report.whole(message, "give the admin listener its own address");
        Err(report.into_problems())
    }
}
