//! The configuration: from what is written to what the gateway runs on.

mod document;
mod json;
mod model;
mod names;
mod problem;
mod report;
mod section;
mod units;

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf};

pub use self::{
    model::{
        Config, Endpoint, FilterSource, HeaderMatch, HeaderValueMatch, HostPattern, Limits, Listener, ListenerSet,
        OnFault, PathMatch, Place, Policy, PolicyEntry, PolicyLimits, Route, Upstream, UpstreamTimeouts,
    },
    problem::Problem,
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
    /// `--upstream`: where requests go, as `http://host:port`.
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
}

/// Reads the configuration and reports all that is wrong with it at once.
///
/// `bundled` are the names of the filters that are part of the gateway.
pub fn load(source: &Source, overrides: &Overrides, bundled: &[&str]) -> Result<Config, Vec<Problem>> {
    let _ = (source, overrides, bundled);
    Err(Vec::new())
}
