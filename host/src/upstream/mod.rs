//! Where requests go: endpoints, this worker's connections to them, and one call.

mod call;
mod client;
mod error;
mod http1;
mod patience;
mod pick;

pub use client::Pool;
pub use error::{ProtocolError, UpstreamError};

use std::sync::Arc;
use std::time::Duration;

use crate::telemetry::UpstreamMetrics;

/// A group of endpoints that serve the same thing. Shared by all workers.
#[derive(Debug)]
pub struct Upstream {
    /// The name, unique.
    pub name: Arc<str>,
    /// At least one.
    pub endpoints: Vec<Endpoint>,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// From the request's latest progress to the response's head.
    pub first_byte_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// How long a response's body may stand still.
    pub body_idle: Duration,
    /// Bounds on a response's head.
    pub head: HeadLimits,
    /// Its counters.
    pub metrics: Arc<UpstreamMetrics>,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How large a message's head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Header fields.
    pub fields: usize,
    /// Bytes.
    pub bytes: usize,
}
