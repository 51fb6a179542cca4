//! Why an upstream gave no response.

use std::time::Duration;

use super::Endpoint;
use super::http1::Failure;
use crate::message::BodyError;

/// A failed call. All are the upstream's fault except `Request`.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection to any endpoint.
    #[error("cannot connect to {endpoint}")]
    Connect {
        /// The endpoint that was tried last.
        endpoint: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It has no endpoint that could be used, or all have been tried.
    #[error("no endpoint to send to")]
    NoEndpoint,
    /// As much is asked of it as it may be.
    #[error("no room for more {bound}")]
    Full {
        /// Which bound was met.
        bound: &'static str,
    },
    /// No response head in time.
    #[error("no response from {endpoint} for {after:?}")]
    Timeout {
        /// The endpoint.
        endpoint: String,
        /// The bound.
        after: Duration,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("no valid response from {endpoint}")]
    Protocol {
        /// The endpoint.
        endpoint: String,
        /// What the protocol says.
        source: ProtocolError,
    },
    /// HTTP/2 has no way to say it.
    #[error("the request's host is no authority")]
    Authority,
    /// It does not let streams be tunnels (RFC 8441).
    #[error("{endpoint} has not announced extended CONNECT (SETTINGS_ENABLE_CONNECT_PROTOCOL)")]
    NoTunnels {
        /// The endpoint.
        endpoint: String,
    },
    /// The request's own body failed: the client went away or a filter stopped it.
    #[error("the request's body ended early")]
    Request(#[source] BodyError),
}

/// What is wrong with a connection or with what came on it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ProtocolError(#[from] Cause);

#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error(transparent)]
    Http1(#[from] Failure),
    #[error(transparent)]
    Http2(#[from] hyper::Error),
}

impl UpstreamError {
    pub(super) fn protocol(endpoint: &Endpoint, cause: impl Into<Cause>) -> Self {
        Self::Protocol { endpoint: endpoint.to_string(), source: ProtocolError(cause.into()) }
    }
}

impl UpstreamError {
    /// Whether the gateway itself had no descriptor for a connection.
    #[must_use]
    pub fn lacks_descriptors(&self) -> bool {
        let Self::Connect { source, .. } = self else { return false };
        matches!(source.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
    }

    /// Whether there was nobody to send to, so that a later request may fare better.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::NoEndpoint | Self::Full { .. })
    }

    /// Whether it speaks against the endpoint.
    pub(super) fn is_endpoints(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Timeout { .. } | Self::Protocol { .. }) && !self.lacks_descriptors()
    }

    /// Whether it took too long, rather than being broken.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout { .. } => true,
            Self::Connect { source, .. } => source.kind() == std::io::ErrorKind::TimedOut,
            _ => false,
        }
    }
}
