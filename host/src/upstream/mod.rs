//! Where requests go: endpoints, which of them a request goes to, this worker's connections to them, and one call.
//!
//! What all workers share is in [`Upstream`]. Its endpoints are a set that is replaced as a whole (`set`); the control thread
//! finds them and looks after them (`tend`, with what it knows in `roster`). A worker has its own view of the set (`local`)
//! with its connections (`client`, `queue`, `ahead`), chooses in it (`pick`) and calls (`call`, `again`).

mod again;
mod ahead;
mod budget;
mod call;
mod client;
mod endpoint;
mod error;
mod http1;
mod limits;
mod local;
mod patience;
mod pick;
mod queue;
mod replay;
mod roster;
mod set;
mod tend;
mod tls;

pub use call::Caller;
pub use client::Pool;
pub use endpoint::Endpoint;
pub use error::{ProtocolError, UpstreamError};
pub use http1::{BadResponse, Framing, HeadReader, encode as encode_request};
pub use pick::cookie;
pub use roster::EndpointState;
pub use tend::{Caretaker, find_names, serving_status};
pub use tls::Tls;

pub use crate::config::CallOptions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::limits::Limits;
use self::roster::Entry;
use self::set::{Endpoints, Known, Publisher};
use crate::config::{EndpointSource, UpstreamOptions};
use crate::telemetry::UpstreamMetrics;

/// A group of endpoints that serve the same thing. Shared by all workers.
#[derive(Debug)]
pub struct Upstream {
    /// What is configured.
    pub settings: Settings,
    /// Its counters.
    pub metrics: Arc<UpstreamMetrics>,
    endpoints: Endpoints,
    /// Outlives changes that do not concern it: what is under way counts.
    limits: Arc<Limits>,
    /// Whether somebody has waited for its names.
    searched: AtomicBool,
}

/// What is configured of an upstream.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The name, unique.
    pub name: Arc<str>,
    /// Where its endpoints come from.
    pub sources: Vec<EndpointSource>,
    /// Which endpoint a request goes to, and what else is to be said about them.
    pub options: UpstreamOptions,
    /// How connections are secured; none for plain TCP.
    pub tls: Option<Arc<Tls>>,
    /// HTTP/2, without asking first; otherwise it is HTTP/1.1.
    pub http2: Option<Http2>,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// From the request's latest progress to the response's head.
    pub first_byte_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// How long a response's body may stand still.
    pub body_idle: Duration,
    /// Bounds on a response's head.
    pub head: crate::wire::HeadLimits,
}

/// How HTTP/2 is spoken to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2 {
    /// After how much silence a connection with requests on it is asked whether it is still there.
    pub ping: Duration,
}

/// An endpoint as the admin pages show it.
#[derive(Clone, Debug)]
pub struct EndpointStatus {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Its configured weight.
    pub weight: u32,
    /// How it stands.
    pub state: EndpointState,
    /// Why the latest check was bad, if it was.
    pub complaint: Option<String>,
}

impl Upstream {
    /// An upstream whose endpoints keep what is known about them from `previous`, the one of the same name before it.
    #[must_use]
    pub fn new(settings: Settings, metrics: Arc<UpstreamMetrics>, previous: Option<&Self>) -> Arc<Self> {
        let endpoints = Endpoints::new(&settings.sources, previous.map(|previous| &previous.endpoints));
        let same = |previous: &&Self| previous.settings.options.limits == settings.options.limits;
        let limits = previous.filter(same).map(|previous| Arc::clone(&previous.limits));
        let limits = limits.unwrap_or_else(|| Arc::new(Limits::new(&settings.options.limits)));
        let upstream = Arc::new(Self { settings, metrics, endpoints, limits, searched: AtomicBool::new(false) });
        upstream.change(|publisher, known, now| publisher.join(known, now));
        upstream
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// How a client would name it: the host and port of the first endpoint, else its own name.
    #[must_use]
    pub fn authority(&self) -> String {
        let hosts = self.settings.sources.iter().find_map(|source| match source {
            EndpointSource::Host { endpoint, .. } if endpoint.host.contains(':') => {
                Some(format!("[{}]:{}", endpoint.host, endpoint.port))
            }
            EndpointSource::Host { endpoint, .. } => Some(format!("{}:{}", endpoint.host, endpoint.port)),
            EndpointSource::Service { .. } => None,
        });
        hosts.unwrap_or_else(|| self.name().to_owned())
    }

    /// Whether there are names whose addresses have never been looked for. Says so once.
    fn has_new_names(&self) -> bool {
        !self.searched.swap(true, Ordering::Relaxed)
            && (0..self.settings.sources.len()).any(|source| !self.endpoints.is_found(source))
    }

    /// All endpoints.
    #[must_use]
    pub fn status(&self) -> Vec<EndpointStatus> {
        let status = |entry: &Entry| EndpointStatus {
            endpoint: Arc::clone(&entry.endpoint),
            weight: entry.weight(),
            state: entry.state(&self.settings.options),
            complaint: entry.complaint.clone(),
        };
        self.endpoints.lock().roster.entries.iter().map(status).collect()
    }

    /// Whether all endpoints are used because too few are well.
    #[must_use]
    pub fn is_in_panic(&self) -> bool {
        self.endpoints.load().selection.panic
    }

    /// Changes what is known about the endpoints. For the control thread.
    fn change<T>(&self, change: impl FnOnce(&Publisher<'_>, &mut Known, Instant) -> T) -> T {
        let publisher = Publisher {
            upstream: self.name(),
            options: &self.settings.options,
            metrics: &self.metrics,
            endpoints: &self.endpoints,
        };
        change(&publisher, &mut self.endpoints.lock(), Instant::now())
    }
}

impl Settings {
    /// Whether connections that were opened under the one can be used under the other.
    fn speaks_as(&self, other: &Self) -> bool {
        self.head == other.head && self.tls == other.tls && self.http2 == other.http2
    }
}
