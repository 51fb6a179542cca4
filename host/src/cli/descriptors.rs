//! The process's limit of open descriptors: one for each connection.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one: nothing here calls select(2), for whose sake it is low by default.
pub(super) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, limit = limit.current, "the limit of open descriptors cannot be raised");
    }
}

/// Says how many connections there may be, and warns of more than can be.
pub(super) fn tell(connections: usize, requests: usize) {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    tracing::info!(descriptors, connections, requests, "limits");
    if connections as u64 >= descriptors {
        let remedy = "raise the limit (ulimit -n, LimitNOFILE=), or lower limits.connections";
        tracing::warn!(descriptors, connections, remedy, "there cannot be that many connections");
    }
}
