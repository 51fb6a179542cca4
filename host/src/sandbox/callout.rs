//! Requests of filters to named upstreams: what may be asked for, and what carries it out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

use super::suspend::LocalFuture;

/// How many callouts can be under way for one call.
pub(super) const MAX_AT_ONCE: usize = 16;

/// What a policy may call, and how much of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalloutGrants {
    /// The names of upstreams.
    pub upstreams: Vec<Arc<str>>,
    /// How many callouts an exchange may make.
    pub count: u32,
    /// How long one may take.
    pub timeout: Duration,
    /// How many bytes of content a request or a response may have.
    pub body: u64,
}

/// One request that may be sent.
#[derive(Debug)]
pub struct Callout {
    /// The upstream.
    pub upstream: Arc<str>,
    /// What is sent. `host` is there only if the filter has named it.
    pub request: Request<Bytes>,
    /// How long it may take.
    pub timeout: Duration,
    /// How many bytes of content the response may have.
    pub body_limit: u64,
}

/// A whole response.
#[derive(Debug)]
pub struct CalloutResponse {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub fields: HeaderMap,
    /// The content.
    pub body: Bytes,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalloutError {
    /// The policy may not call that upstream.
    #[error("the policy was not granted this upstream")]
    NotGranted,
    /// The request is none that could be sent.
    #[error("{0}")]
    Invalid(String),
    /// More callouts than may be.
    #[error("too many callouts")]
    TooMany,
    /// Nobody to send it to now.
    #[error("the upstream cannot take it now")]
    Unavailable,
    /// No connection.
    #[error("no endpoint can be connected to")]
    Connect,
    /// Not in time.
    #[error("no response in time")]
    Timeout,
    /// No valid response.
    #[error("no valid response")]
    Broken,
    /// More content than may be.
    #[error("too much content")]
    TooLarge,
}

impl CalloutError {
    /// The stable name, as metrics have it.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotGranted => "not-granted",
            Self::Invalid(_) => "invalid",
            Self::TooMany => "too-many",
            Self::Unavailable => "unavailable",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::TooLarge => "too-large",
        }
    }
}

/// What carries callouts out: knows upstreams, which the sandbox does not.
pub trait Carrier {
    /// Sends one request and reads the whole response.
    fn carry(&self, callout: Callout) -> LocalFuture<Result<CalloutResponse, CalloutError>>;
}
