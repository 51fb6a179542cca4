//! The configuration as the gateway runs on it: complete, resolved and free of contradictions.
//!
//! Nothing here can be wrong any more: names point to things that exist, addresses are parsed, expressions are
//! compiled, defaults are filled in. The one thing that may be missing is a single policy of the policies directory
//! ([`PolicyEntry::policy`]), because a bad policy file must not take the others with it.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{HeaderName, Method};
use regex::Regex;

use super::store;
use super::{
    CallOptions, Capture, Catalogue, Grant, Grants, Language, Lines, ListenerOptions, OnFault, Overload, Problem,
    Quarantine, SecretEntry, Store, Tracing, Transport, Trial, Trust, UpstreamOptions,
};
use crate::oci::{Access, Reference};
use crate::route::Action;

/// Everything that the gateway is told from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where requests come in: at least one, with unique names.
    pub listeners: Vec<Listener>,
    /// Where the admin listener binds, if there is one.
    pub admin: Option<SocketAddr>,
    /// How many workers to run; without it, one per core.
    pub workers: Option<NonZeroUsize>,
    /// Whether each exchange writes an access line.
    pub access_log: bool,
    /// `access-log = { filters = true }`: whether it says what each filter took.
    pub access_filters: bool,
    /// `[tracing]`: how exchanges are traced, if they are.
    pub tracing: Option<Tracing>,
    /// Where compiled modules, and all that is remembered of changes, are kept between runs.
    pub state_dir: Option<PathBuf>,
    /// `state-size`: how large that may get, in bytes.
    pub state_size: Option<u64>,
    /// The watched directory of policies, relative to the working directory like every path here.
    pub policies_dir: Option<PathBuf>,
    /// Bounds on what a client may cost.
    pub limits: Limits,
    /// How paths are read.
    pub paths: Paths,
    /// Where requests go to.
    pub upstreams: Vec<Upstream>,
    /// What policies keep shared state in.
    pub stores: Vec<Store>,
    /// The policies of the directory in file-name order, then those of the config file in the order as written.
    pub policies: Vec<PolicyEntry>,
    /// The secrets that policies can be granted, with unique names.
    pub secrets: Vec<SecretEntry>,
    /// `[registries]`: how registries of filters are reached.
    pub registries: Access,
    /// `[[trust]]`: whose modules are run, in the order as written.
    pub trust: Vec<Trust>,
    /// What goes where, through which policies, in the order as written.
    pub routes: Vec<Route>,
    /// Whether there is a config file; without one, the chain is every policy of the directory that is ready.
    pub from_file: bool,
    /// `catalogue`: what teams may do, if there are any.
    pub catalogue: Option<Arc<Catalogue>>,
    /// What is wrong with routes of teams whose older ones stay.
    pub kept: Vec<Problem>,
    /// Every file that this was read from, and every module that it names: what has to be watched.
    pub files: Vec<PathBuf>,
}

/// An address that requests come in on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name, unique; by default `listener-1`, `listener-2`, ….
    pub name: String,
    /// The address to bind; port 0 lets the system choose.
    pub address: SocketAddr,
    /// What it does besides.
    pub options: ListenerOptions,
}

/// Bounds on what one connection or request may cost (`[limits]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// `header-fields`: how many header fields a message may have.
    pub header_fields: usize,
    /// `header-bytes`: how large the head of a message may be.
    pub header_bytes: usize,
    /// `request-line-bytes`: how long a request line may be.
    pub request_line_bytes: usize,
    /// `header-field-bytes`: how large a header field may be.
    pub header_field_bytes: usize,
    /// `chunk-extension-bytes`: how large all chunk extensions of a message may be.
    pub chunk_extension_bytes: usize,
    /// `header-timeout`: how long a client may take to send a request head.
    pub header_timeout: Duration,
    /// `keep-alive`: how long an idle client connection is kept.
    pub keep_alive: Duration,
    /// `body-idle`: how long a body may stand still.
    pub body_idle: Duration,
    /// `drain`: how long exchanges in flight may take to end on shutdown.
    pub drain: Duration,
    /// `upgrade-idle`: how long a connection that was upgraded may stand still.
    pub upgrade_idle: Duration,
    /// `old-versions`: how long exchanges may go on that began on something that is served no longer.
    pub old_versions: Duration,
    /// `body-limit`: how many bytes a request's body may have, where its route does not say.
    pub body_limit: Option<u64>,
    /// `http2-streams`: how many requests of one HTTP/2 connection may be open at once.
    pub http2_streams: u32,
    /// `connections`, `connections-per-address`, `requests`, `memory`: how much may be open at once.
    pub overload: Overload,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_fields: 100,
            header_bytes: 32 * 1024,
            request_line_bytes: 8 * 1024,
            header_field_bytes: 16 * 1024,
            chunk_extension_bytes: 1024,
            header_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            body_idle: Duration::from_secs(20),
            drain: Duration::from_secs(30),
            upgrade_idle: Duration::from_secs(300),
            old_versions: Duration::from_secs(3600),
            body_limit: None,
            http2_streams: 128,
            overload: Overload::default(),
        }
    }
}

/// How the paths of requests are read (`[paths]`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paths {
    /// `encoded-slash`: what becomes of `%2F` and `%5C`.
    pub encoded_slash: EncodedSlash,
    /// `merge-slashes`: whether several slashes in a row are one.
    pub merge_slashes: bool,
}

impl Default for Paths {
    fn default() -> Self {
        Self { encoded_slash: EncodedSlash::Reject, merge_slashes: true }
    }
}

/// What becomes of a path with an encoded slash or backslash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodedSlash {
    /// `"reject"`: the request is refused.
    Reject,
    /// `"keep"`: it stays encoded, and separates nothing.
    Keep,
}

/// A group of endpoints that serve the same thing (`[upstreams.NAME]`).
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    /// Its name, unique.
    pub name: String,
    /// Where its endpoints come from: at least one source.
    pub endpoints: Vec<EndpointSource>,
    /// How long to wait for whom.
    pub timeouts: UpstreamTimeouts,
    /// How connections are made.
    pub transport: Transport,
    /// Which endpoint gets a request, and what else is to be said about them.
    pub options: UpstreamOptions,
}

/// Something that stands for endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointSource {
    /// A host with a port; a name stands for all its addresses.
    Host {
        /// Host and port.
        endpoint: Endpoint,
        /// The share of each address, against those of others.
        weight: u32,
    },
    /// A service in DNS (RFC 2782), whose records say hosts, ports and weights.
    Service {
        /// The name that is asked for, such as `_http._tcp.orders`.
        name: String,
    },
}

impl EndpointSource {
    /// A host with the weight that all have by default.
    #[must_use]
    pub fn host(endpoint: Endpoint) -> Self {
        Self::Host { endpoint, weight: 1 }
    }
}

/// A host and a port of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A host name or an IP address; an IPv6 address is without its brackets.
    pub host: String,
    /// Its port, never 0.
    pub port: u16,
}

/// How long to wait for an upstream. The defaults of all upstreams are in `[limits]` as `upstream-connect`,
/// `upstream-first-byte` and `upstream-idle`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// `connect-timeout`: until a connection stands.
    pub connect: Duration,
    /// `first-byte-timeout`: from the request's end to the response head.
    pub first_byte: Duration,
    /// `idle-timeout`: how long an unused connection is kept for the next request.
    pub idle: Duration,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), first_byte: Duration::from_secs(60), idle: Duration::from_secs(60) }
    }
}

/// A policy by name, whether or not it can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyEntry {
    /// Its name, unique: the file stem as it stands, or the key of the table in the config file.
    pub name: String,
    /// The file to look into when something is wrong: its TOML, else its module, or the config file.
    pub origin: PathBuf,
    /// Whether it comes from the policies directory.
    pub from_dir: bool,
    /// The policy, or all that is wrong with it; only a policy of the directory can be an error.
    pub policy: Result<Policy, Vec<Problem>>,
}

/// A filter with its configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The name of its entry.
    pub name: String,
    /// The code to run.
    pub filter: FilterSource,
    /// `every`: how often the tag is looked at that the module is found by, if it is found so.
    pub every: Duration,
    /// `sha256`: the digest that the module must have, and where that is written.
    pub sha256: Option<(String, Place)>,
    /// The version that its module's manifest must have, and where that is written: in the catalogue.
    pub version: Option<(String, Place)>,
    /// `[config]`: what the filter is configured with; always an object, empty by default. May hold secrets.
    pub config: serde_json::Value,
    /// Where its parts are written.
    pub lines: Lines,
    /// `on-fault`: what a request gets when the filter fails.
    pub on_fault: OnFault,
    /// `isolation`: which exchanges share a sandbox.
    pub isolation: Isolation,
    /// `quarantine`: when the filter is not called any more.
    pub quarantine: Option<Quarantine>,
    /// `store`: the store on a server where its own space and its rate limits are; without one, they are in this process.
    pub store: Option<Grant>,
    /// `grants`: what the filter may do.
    pub grants: Grants,
    /// Where that is written, or would be.
    pub grants_place: Place,
    /// `grants` as written, as JSON, for a capture to say the same; null if there are none.
    pub written_grants: serde_json::Value,
    /// The whole entry as written, as JSON, so that it can be told from others and read again; null if nothing is written.
    pub written: serde_json::Value,
    /// `[limits]`: what the filter may use.
    pub limits: PolicyLimits,
    /// `capture`: what is kept of an exchange in which the filter faults.
    pub capture: Option<Capture>,
    /// `trial`: how a new version of it comes to serve; none if it simply does.
    pub trial: Option<Trial>,
    /// Where its configuration is written, for the filter's own objections.
    pub place: Place,
}

impl Policy {
    /// A problem with this policy's configuration that only its filter could find.
    pub fn config_problem(&self, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem {
            file: self.place.file.clone(),
            line: self.place.line,
            key: self.place.key.clone(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// A problem with where its module comes from.
    pub fn source_problem(&self, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        let key = self.place.key.as_deref().and_then(|key| key.strip_suffix("config").or(Some(key)));
        let key = key.map(|key| match key {
            "" => "filter".to_owned(),
            key if key.ends_with('.') => format!("{key}filter"),
            key => format!("{key}.filter"),
        });
        Problem { line: None, key, ..self.config_problem(message, remedy) }
    }

    /// A problem with a part of it, which a JSON pointer names.
    pub fn config_problem_at(&self, pointer: &str, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        let problem = self.config_problem(message, remedy);
        // The key of a policy in the config file that has no `config`, as its name is the key of its place then.
        let own = self.place.key.as_deref().unwrap_or("config");
        let key = if self.has_config() { own.to_owned() } else { config_key(own) };
        let (key, line) = self.lines.find(&key, pointer);
        Problem { key: Some(key), line: line.or(problem.line), ..problem }
    }

    fn has_config(&self) -> bool {
        self.lines != Lines::default()
    }
}

/// The key of the configuration of a policy that has none, whose place is that of its table or of the key itself.
fn config_key(own: &str) -> String {
    if own == "config" { own.to_owned() } else { format!("{own}.config") }
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; none in a file that is not text.
    pub line: Option<usize>,
    /// The key path, such as `policies.partner-key.config`.
    pub key: Option<String>,
}

/// Where a filter's code is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FilterSource {
    /// A module or a script in a file.
    Module {
        /// The file's stem.
        name: String,
        /// The file; it existed when the configuration was read.
        path: PathBuf,
    },
    /// A module in a registry, or in a bundle.
    Pulled {
        /// The last part of the repository's name, or what the catalogue calls it.
        name: String,
        /// Where it is.
        reference: Reference,
    },
    /// A filter that is part of the gateway.
    Bundled {
        /// Its name.
        name: String,
    },
}

impl FilterSource {
    /// The name of the module or of the bundled filter.
    pub fn name(&self) -> &str {
        match self {
            Self::Module { name, .. } | Self::Pulled { name, .. } | Self::Bundled { name } => name,
        }
    }

    /// The same by another name.
    pub(super) fn called(self, name: &str) -> Self {
        let name = name.to_owned();
        match self {
            Self::Module { path, .. } => Self::Module { name, path },
            Self::Pulled { reference, .. } => Self::Pulled { name, reference },
            Self::Bundled { .. } => Self::Bundled { name },
        }
    }

    /// The module's file, if it has one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Module { path, .. } => Some(path),
            Self::Pulled { .. } | Self::Bundled { .. } => None,
        }
    }

    /// Whether it is the same code, whatever it is called where that is elsewhere.
    pub fn is(&self, other: &Self) -> bool {
        match (self.reference(), other.reference()) {
            (Some(one), Some(other)) => one == other,
            _ => self == other,
        }
    }

    /// What it is written in, if it is a script.
    pub fn language(&self) -> Option<Language> {
        self.path().and_then(Language::of)
    }

    /// Where it is, if it has to be fetched.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Pulled { reference, .. } => Some(reference),
            Self::Module { .. } | Self::Bundled { .. } => None,
        }
    }
}

/// Which exchanges share a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// `"shared"`: all of a worker.
    #[default]
    Shared,
    /// `"exchange"`: none; each has a fresh one.
    Exchange,
}

/// What a filter may use (`[limits]` of a policy).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLimits {
    /// `cpu`: time per call of a hook, 1 ms to 10 s.
    pub cpu: Duration,
    /// `memory`: bytes per instance, 64 KiB to 1 GiB.
    pub memory: u64,
    /// `exchange-cpu`: time of all hooks of an exchange together, if that is bounded.
    pub exchange_cpu: Option<Duration>,
    /// `exchanges`: how many may be open at once over all workers, if that is bounded.
    pub exchanges: Option<usize>,
    /// `body`: bytes of a body that are kept, 1 KiB to 256 MiB.
    pub body: u64,
    /// `recycle`: after how many exchanges a shared instance is replaced, if at all.
    pub recycle: Option<u64>,
    /// `configure`: time for taking in the configuration, 1 ms to 60 s.
    pub configure: Duration,
    /// `instances`: how many a worker may have of a filter that waits.
    pub instances: usize,
    /// `callouts`: how many an exchange may make.
    pub callouts: usize,
    /// `callout-timeout`: how long one may take, 1 ms to 60 s.
    pub callout_timeout: Duration,
    /// `callout-body`: bytes of content of a callout's request or response, up to 16 MiB.
    pub callout_body: u64,
    /// `store`: bytes of the policy's own space, 64 KiB to 64 GiB.
    pub store: u64,
    /// `tick-cpu`: CPU time of a tick, 1 ms to 10 s.
    pub tick_cpu: Duration,
    /// `tick-timeout`: how long a tick may take, 1 ms to 10 minutes.
    pub tick_timeout: Duration,
}

impl Default for PolicyLimits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_millis(5),
            memory: 16 << 20,
            body: 1 << 20,
            exchange_cpu: None,
            exchanges: None,
            recycle: None,
            configure: Duration::from_secs(1),
            instances: 64,
            callouts: 8,
            callout_timeout: Duration::from_secs(1),
            callout_body: 1 << 20,
            store: store::SIZE,
            tick_cpu: Duration::from_millis(100),
            tick_timeout: Duration::from_secs(10),
        }
    }
}

/// What a request must look like, and what becomes of it then. An empty list of conditions matches everything.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name, unique; by default `route-1`, `route-2`, ….
    pub name: String,
    /// The listeners that it applies to.
    pub listeners: ListenerSet,
    /// Any of these hosts.
    pub hosts: Vec<HostPattern>,
    /// Any of these methods.
    pub methods: Vec<Method>,
    /// All of these headers.
    pub headers: Vec<HeaderMatch>,
    /// All of these parameters of the query.
    pub query: Vec<QueryMatch>,
    /// This path.
    pub path: PathMatch,
    /// The names of its policies in the order of the request; each is the name of a [`PolicyEntry`].
    pub policies: Vec<String>,
    /// `upgrades`: whether requests may switch to another protocol (RFC 9110, section 7.8).
    pub upgrades: bool,
    /// How its requests are sent.
    pub call: CallOptions,
    /// What becomes of the request; upstreams are indices into [`Config::upstreams`].
    pub action: Action,
    /// How many bytes a request's body may have, if that is bounded.
    pub body_limit: Option<u64>,
    /// `forward-identity`: in which fields the upstream is told who a request is made for.
    pub forward_identity: Option<super::ForwardIdentity>,
    /// The team whose it is; none if it is the platform's.
    pub team: Option<String>,
}

/// The listeners of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerSet {
    /// All of them.
    All,
    /// These indices into [`Config::listeners`]; at least one.
    Only(Vec<usize>),
}

impl ListenerSet {
    /// Whether the listener of this index belongs to the set.
    pub fn contains(&self, listener: usize) -> bool {
        match self {
            Self::All => true,
            Self::Only(indices) => indices.contains(&listener),
        }
    }
}

/// A host, without port, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This host.
    Exact(String),
    /// `*.example.com`: all hosts with at least one label before this domain, which is kept as `example.com`.
    Wildcard(String),
}

/// A header that a request must have.
#[derive(Debug, Clone)]
pub struct HeaderMatch {
    /// The header's name.
    pub name: HeaderName,
    /// What its value must be.
    pub value: ValueMatch,
}

/// A parameter that a request's query must have.
#[derive(Debug, Clone)]
pub struct QueryMatch {
    /// The parameter's name.
    pub name: String,
    /// What its value must be.
    pub value: ValueMatch,
}

/// What the value of a header or a parameter must be.
#[derive(Debug, Clone)]
pub enum ValueMatch {
    /// Anything, if it is there.
    Present,
    /// Exactly this.
    Exact(String),
    /// Something that this expression matches as a whole.
    Regex(Regex),
}

/// What a request's path must be; the query is not part of it.
#[derive(Debug, Clone)]
pub enum PathMatch {
    /// Anything.
    Any,
    /// Exactly this.
    Exact(String),
    /// This or something below it, on segment boundaries. No `/` at its end, except for `/` itself.
    Prefix(String),
    /// Something that this expression matches as a whole.
    Regex(Regex),
}
