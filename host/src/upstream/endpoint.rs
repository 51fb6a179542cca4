//! A server of an upstream.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::telemetry::EndpointMetrics;

/// An address that requests can be sent to. Shared by all workers; it stays the same for as long as its upstream has it,
/// whatever else changes.
#[derive(Debug)]
pub struct Endpoint {
    /// The name or address that it is configured as.
    pub host: String,
    /// Its address.
    pub address: SocketAddr,
    /// Its counters.
    pub metrics: Arc<EndpointMetrics>,
    /// Requests in a row that it has failed, of all workers. Only counted where outliers are looked for.
    failures: AtomicU32,
}

impl Endpoint {
    pub(super) fn new(host: String, address: SocketAddr, metrics: Arc<EndpointMetrics>) -> Arc<Self> {
        Arc::new(Self { host, address, metrics, failures: AtomicU32::new(0) })
    }

    /// How a client would name it.
    pub(super) fn authority(&self) -> String {
        match self.host.parse::<IpAddr>() {
            Ok(_) => self.address.to_string(),
            Err(_) => format!("{}:{}", self.host.trim_end_matches('.'), self.address.port()),
        }
    }

    /// It has served a request. While all is well this only reads, so workers share the line without a fight.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// It has failed a request; says how many these are in a row.
    pub(super) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// The failures in a row; forgets them if there are as many as that.
    pub(super) fn take_failures(&self, least: u32) -> bool {
        let enough = self.failures.load(Ordering::Relaxed) >= least;
        if enough {
            self.failures.store(0, Ordering::Relaxed);
        }
        enough
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<IpAddr>() {
            Ok(_) => write!(f, "{}", self.address),
            Err(_) => write!(f, "{}:{} at {}", self.host, self.address.port(), self.address.ip()),
        }
    }
}

/// What stands for an endpoint before there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) host: String,
    pub(super) address: SocketAddr,
    pub(super) weight: u32,
}
