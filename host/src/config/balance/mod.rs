//! What an upstream's table says beyond its endpoints: which of them a request goes to, which are left out, and how much
//! they are given at once.

mod read;
mod values;

use std::{net::SocketAddr, time::Duration};

use http::{HeaderName, uri::PathAndQuery};

pub(super) use self::read::read;
pub use self::values::{Share, Statuses};

/// The keys of an upstream that are about choosing endpoints and holding connections to them.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamOptions {
    /// `balance`: which endpoint a request goes to.
    pub balance: Balance,
    /// `sticky`: a client's further requests go where its first went.
    pub sticky: Option<Sticky>,
    /// `health`: endpoints are asked whether they are well.
    pub health: Option<HealthCheck>,
    /// `outlier`: endpoints that fail requests are left out for a while.
    pub outlier: Option<Outlier>,
    /// `slow-start`: how long an endpoint that comes (back) takes to get its whole share.
    pub slow_start: Option<Duration>,
    /// `panic-threshold`: with a smaller share of endpoints that are well, all are used.
    pub panic_threshold: Share,
    /// `limits`: how much is asked of it at once, by all workers together.
    pub limits: UpstreamLimits,
    /// `idle-connections`: how many unused connections a worker keeps to an endpoint.
    pub idle_connections: usize,
    /// `max-lifetime`: how old a connection gets that still takes requests.
    pub max_lifetime: Option<Duration>,
    /// `warm`: how many connections to an endpoint each worker opens ahead.
    pub warm: usize,
    /// `resolver`: the name server to ask; without it, those of the system.
    pub resolver: Option<SocketAddr>,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        Self {
            balance: Balance::RoundRobin,
            sticky: None,
            health: None,
            outlier: None,
            slow_start: None,
            panic_threshold: Share::per_mille(300),
            limits: UpstreamLimits::default(),
            idle_connections: 256,
            max_lifetime: None,
            warm: 0,
            resolver: None,
        }
    }
}

/// Which endpoint a request goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    /// `"round-robin"`: they take turns, by weight.
    RoundRobin,
    /// `"least-requests"`: of two at random the one that this worker has fewer requests at.
    LeastRequests,
    /// `{ hash = … }`: requests with the same key go to the same.
    Hash(HashKey),
}

/// What requests to the same endpoint have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashKey {
    /// `"client-address"`.
    ClientAddress,
    /// `"header:NAME"`.
    Header(HeaderName),
    /// `"cookie:NAME"`.
    Cookie(String),
}

/// A cookie that names the endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sticky {
    /// `cookie`: its name.
    pub cookie: String,
    /// `ttl`: how long clients keep it; without it, until they close.
    pub ttl: Option<Duration>,
    /// `secret`: the key that names of endpoints are made with; without it, one of this process.
    pub secret: Option<String>,
}

/// How endpoints are asked whether they are well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// `http`, `tcp` or `grpc`.
    pub probe: Probe,
    /// `interval`: between two checks of an endpoint, give or take a tenth.
    pub interval: Duration,
    /// `timeout`: how long a check may take.
    pub timeout: Duration,
    /// `healthy`: how many good answers in a row make a bad endpoint good.
    pub healthy: u32,
    /// `unhealthy`: how many bad answers in a row make a good endpoint bad.
    pub unhealthy: u32,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// `GET` of a path.
    Http {
        /// `http`: the path.
        path: PathAndQuery,
        /// `host`: the `Host` field; without it, the endpoint's name.
        host: Option<String>,
        /// `expect`: the answers that are good.
        expect: Statuses,
    },
    /// `tcp = true`: a connection.
    Tcp,
    /// `grpc = "SERVICE"`: gRPC's health protocol; the empty name stands for the server as a whole.
    Grpc {
        /// The service's name.
        service: String,
    },
}

/// When endpoints that fail requests are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlier {
    /// `failures`: how many in a row.
    pub failures: u32,
    /// `interval`: how often the ejected are looked at; each that passes without another ejection shortens the next.
    pub interval: Duration,
    /// `ejection`: how long the first ejection lasts; the next one twice as long, up to ten times.
    pub ejection: Duration,
    /// `max-ejected`: never a greater share than this.
    pub max_ejected: Share,
}

/// How much is asked of an upstream at once. Without a bound there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// `connections`: open at once.
    pub connections: Option<usize>,
    /// `pending`: requests that wait for a connection; by default as many as connections.
    pub pending: usize,
    /// `requests`: under way at once.
    pub requests: Option<usize>,
}
