//! From a configuration to a snapshot, beside the one that serves. Nothing that is live changes until the swap.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::held::Recovery;
use super::listener::{AllSettings, settings as listener_settings};
use super::policies::{Made, PolicyMaker, PolicyState, PolicyStatus};
use super::routes::conditions;
use super::rules::{framing_limits, path_rules, unmatched_paths};
use super::self_test::SelfTest;
use super::{BoundListener, Compared, Listing, Snapshot, Target, Trial};
use crate::chain::{Chain, Policy, Recorder};
use crate::config::{self, Config, Problem, Store, TrialMode};
use crate::deploy::{Deploy, Fresh};
use crate::listener::{self, Admission, Bounds, Inherited};
use crate::pull::Pulls;
use crate::route::{Action, RouteTable};
use crate::sandbox::ModuleCache;
use crate::telemetry::{Collector, Metrics, TraceSettings, Tracing};
use crate::upstream::{self, Http2, Settings, Tls, Upstream};
use crate::wire::HeadLimits;

/// Builds snapshots one after another.
pub struct Builder {
    pub(super) policies: PolicyMaker,
    metrics: Arc<Metrics>,
    admission: Arc<Admission>,
    inherited: Inherited,
    workers: usize,
    generation: u64,
    /// The teams because of whose routes the latest snapshot could not be built.
    unready: Vec<String>,
}

/// A snapshot that could be built, and what is still wrong with single policies.
pub struct Built {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// Problems of policies and certificates whose older version was kept, and of policies that never were ready.
    pub problems: Vec<Problem>,
    /// Versions of policies that have not been kept before.
    pub fresh: Vec<Fresh>,
}

impl Built {
    /// Finds the addresses of endpoints that are new and named, as far as that can be done soon.
    pub fn find_names(&self) {
        upstream::find_names(&self.snapshot.upstreams);
    }
}

impl Builder {
    /// A builder for that many workers, whose policies' stages are written down there.
    #[must_use]
    pub fn new(cache: Arc<ModuleCache>, metrics: Arc<Metrics>, workers: usize, deploy: Arc<Deploy>) -> Self {
        let policies = PolicyMaker::new(cache, Arc::clone(&metrics), workers, deploy);
        let (admission, inherited) = (Arc::default(), Inherited::default());
        Self { policies, metrics, admission, inherited, workers, generation: 0, unready: Vec::new() }
    }

    /// Makes one policy by itself, whose exchanges the recorder follows. The stores that it was granted are its own.
    ///
    /// # Errors
    /// If its module cannot be read or is no filter, or if the filter refuses its configuration.
    pub fn policy(
        &mut self,
        policy: &config::Policy,
        recorder: Arc<dyn Recorder>,
    ) -> Result<Arc<Policy>, Vec<Problem>> {
        let policy = config::Policy { capture: None, ..policy.clone() };
        let stores: Vec<_> = policy.grants.stores.iter().map(|grant| Store::named(&grant.store.name)).collect();
        let mut made = self.policies.prepare(&policy, &stores, &[])?;
        if let Some(policy) = Arc::get_mut(&mut made) {
            policy.recorder = Some(recorder);
        }
        Ok(made)
    }

    /// Has cases that came with modules run before these are live.
    pub fn test_with(&mut self, tester: Arc<dyn SelfTest>) {
        self.policies.tester = Some(tester);
    }

    /// Has modules that are elsewhere fetched.
    pub fn pull_with(&mut self, pulls: Arc<Pulls>) {
        self.policies.pulls = Some(pulls);
    }

    /// Uses these sockets, where they fit, for listeners of the first snapshot.
    pub fn inherit(&mut self, sockets: Inherited) {
        self.inherited = sockets;
    }

    /// Reads and compiles modules, configures filters, binds addresses. Takes as long as that takes: not for workers.
    ///
    /// # Errors
    /// If there is no previous snapshot, any problem at all. Otherwise one that the previous snapshot's policies cannot
    /// stand in for: an address that cannot be bound, or a route whose policy never was ready.
    pub fn build(&mut self, config: &Config, previous: Option<&Snapshot>) -> Result<Built, Vec<Problem>> {
        self.policies.catalogue.clone_from(&config.catalogue);
        self.policies.trust.clone_from(&config.trust);
        self.policies.get_ready(config);
        let fresh = self.policies.secrets.read(&config.secrets);
        self.policies.fresh.clear();
        let made = config.policies.iter().map(|entry| self.policies.make(entry, &config.stores, previous));
        let (mut policies, mut trials, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
        for Made { policy, trial, status } in made {
            policies.extend(policy);
            trials.extend(trial);
            statuses.push(status);
        }
        let mut problems: Vec<_> = fresh.problems.iter().chain(&config.kept).cloned().collect();
        problems.extend(statuses.iter().flat_map(|status| status.problems.clone()));
        let missing = unusable_routes(config, &statuses);
        self.unready = unready_teams(config, &statuses);
        let mut rejected = if previous.is_none() { final_problems(&fresh.problems, &statuses) } else { missing };
        rejected.extend(unmatched_paths(config));
        if !rejected.is_empty() {
            return Err(rejected);
        }
        let AllSettings { settings, kept } = listener_settings(config, previous)?;
        problems.extend(kept.iter().cloned());
        let listeners = self.listeners(config, previous)?;
        let upstreams = config.upstreams.iter().map(|upstream| self.upstream(upstream, config, previous)).collect();
        let targets = config.routes.iter().map(|route| self.target(route, config, &policies, &trials)).collect();
        let routes =
            RouteTable::new(config.routes.iter().enumerate().map(|(index, route)| (conditions(route, config), index)));
        self.policies.state.bound(config);
        let tracing = self.tracing(config, previous)?;
        let kept_secrets = fresh.take_effect();
        self.generation += 1;
        let snapshot = Snapshot {
            generation: self.generation,
            routes,
            targets,
            policies,
            trials,
            upstreams,
            listeners,
            settings,
            limits: config.limits.clone(),
            bounds: bounds(&config.limits.overload, self.workers),
            admission: Arc::clone(&self.admission),
            framing: framing_limits(&config.limits),
            policies_dir: config.policies_dir.clone(),
            paths: path_rules(config.paths),
            access_log: config.access_log,
            access_filters: config.access_filters,
            tracing,
            metrics: Arc::clone(&self.metrics),
            kept_certificates: kept,
            kept_secrets,
            statuses,
            catalogue: config.catalogue.is_some().then(|| Listing::of(config, self.policies.pulls.as_deref())),
        };
        Ok(Built { snapshot: Arc::new(snapshot), problems, fresh: std::mem::take(&mut self.policies.fresh) })
    }

    /// As `build`, of what served when the program ran last: each policy in the version that it had.
    ///
    /// # Errors
    /// As `build`.
    pub fn build_last(&mut self, config: &Config) -> Result<Built, Vec<Problem>> {
        let usual = std::mem::replace(&mut self.policies.recovery, Recovery::All);
        let built = self.build(config, None);
        self.policies.recovery = usual;
        built
    }

    /// Removes compiled code that there is no room for.
    pub fn collect(&self) {
        let (bytes, wanted) = self.policies.told.deploy.room();
        self.policies.cache.collect(bytes, &wanted);
    }

    /// Whether a policy that is no good may be served in the version that it had when the program ran last.
    pub fn recover_policies(&mut self, may: bool) {
        self.policies.recovery = if may { Recovery::Broken } else { Recovery::None };
    }

    /// The teams because of whose routes the latest snapshot could not be built: they name policies that never were ready.
    #[must_use]
    pub fn unready_teams(&self) -> &[String] {
        &self.unready
    }

    /// Does everything that `build` does for a first snapshot except to bind addresses, and says how policies would stand.
    ///
    /// # Errors
    /// All problems.
    pub fn check(&mut self, config: &Config) -> Result<Vec<PolicyStatus>, Vec<Problem>> {
        let settings = listener_settings(config, None).err().unwrap_or_default();
        let dry = Config { listeners: Vec::new(), ..config.clone() };
        match self.build(&dry, None) {
            Ok(built) if settings.is_empty() => Ok(built.snapshot.statuses.clone()),
            built => Err(settings.into_iter().chain(built.err().unwrap_or_default()).collect()),
        }
    }

    /// What traces go on in as long as nobody changes how.
    fn tracing(&self, config: &Config, previous: Option<&Snapshot>) -> Result<Option<Arc<Tracing>>, Vec<Problem>> {
        let Some(tracing) = &config.tracing else { return Ok(None) };
        let settings = trace_settings(tracing);
        match previous.and_then(|snapshot| snapshot.tracing.as_ref()) {
            Some(older) if older.settings == settings => Ok(Some(Arc::clone(older))),
            _ => match Tracing::start(settings, Arc::clone(&self.metrics.traces)) {
                Ok(tracing) => Ok(Some(Arc::new(tracing))),
                Err(error) => {
                    let file = config.files.first().cloned().unwrap_or_default();
                    let message = format!("spans cannot be sent: {error}");
                    let remedy = "raise the number of threads that the process may have".into();
                    Err(vec![Problem { file, line: None, key: Some("tracing".into()), message, remedy }])
                }
            },
        }
    }

    fn target(
        &self,
        route: &config::Route,
        config: &Config,
        policies: &[Arc<Policy>],
        trials: &[Arc<Trial>],
    ) -> Target {
        let named = route.policies.iter().filter_map(|name| policies.iter().find(|policy| *policy.name == **name));
        let mirrors = matches!(&route.action, Action::Forward(forward) if forward.mirror.is_some());
        let chain = Chain::new(named.map(|policy| (Arc::clone(policy), self.metrics.cost(&policy.name, &route.name))));
        let on_trial =
            || trials.iter().filter(|trial| route.policies.iter().any(|name| **name == *trial.course.policy));
        let is_compared = on_trial().any(|trial| matches!(trial.course.settings.mode, TrialMode::Canary(_)));
        let compared = if is_compared { Compared::Yes } else { Compared::No };
        Target {
            name: route.name.as_str().into(),
            chain: on_trial().fold(chain, |chain, trial| chain.or(trial.sides().1)),
            trial: on_trial().next().map(|_| compared),
            upgrades: route.upgrades,
            call: route.call.clone(),
            action: route.action.clone(),
            body_limit: route.body_limit.or(config.limits.body_limit),
            forward_identity: route.forward_identity.clone(),
            metrics: self.metrics.route(&route.name),
            mirror_metrics: mirrors.then(|| self.metrics.mirror(&route.name)),
        }
    }

    fn upstream(&self, upstream: &config::Upstream, config: &Config, previous: Option<&Snapshot>) -> Arc<Upstream> {
        let settings = Settings {
            name: upstream.name.as_str().into(),
            sources: upstream.endpoints.clone(),
            options: upstream.options.clone(),
            tls: upstream.transport.tls.as_ref().map(tls),
            http2: upstream.transport.http2.map(|ping| Http2 { ping }),
            connect_timeout: upstream.timeouts.connect,
            first_byte_timeout: upstream.timeouts.first_byte,
            idle_timeout: upstream.timeouts.idle,
            body_idle: config.limits.body_idle,
            head: HeadLimits { fields: config.limits.header_fields, bytes: config.limits.header_bytes },
        };
        let mut older = previous.into_iter().flat_map(|snapshot| &snapshot.upstreams);
        let older = older.find(|older| older.name() == upstream.name);
        match older {
            // The same upstream keeps its connections.
            Some(older) if older.settings == settings => Arc::clone(older),
            _ => Upstream::new(settings, self.metrics.upstream(&upstream.name), older.map(AsRef::as_ref)),
        }
    }

    fn listeners(
        &mut self,
        config: &Config,
        previous: Option<&Snapshot>,
    ) -> Result<Vec<Arc<BoundListener>>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut listeners = Vec::new();
        for wanted in &config.listeners {
            let known = previous.into_iter().flat_map(|snapshot| &snapshot.listeners);
            let mut known = known.filter(|known| *known.name == *wanted.name && known.configured == wanted.address);
            match known.next() {
                Some(known) => listeners.push(Arc::clone(known)),
                None => match self.listener(wanted) {
                    Ok(listener) => listeners.push(listener),
                    Err(error) => problems.push(bind_problem(config, wanted.address, &error)),
                },
            }
        }
        for address in self.inherited.close() {
            tracing::warn!(%address, "a socket was handed over that no listener has a use for; it is closed");
        }
        if problems.is_empty() { Ok(listeners) } else { Err(problems) }
    }

    fn listener(&mut self, wanted: &config::Listener) -> std::io::Result<Arc<BoundListener>> {
        let inherited = self.inherited.take(Some(&wanted.name), wanted.address);
        let (address, sockets) = match inherited.first() {
            Some(first) => (first.local_addr()?, listener::spread(inherited, self.workers)?),
            None => listener::bind(wanted.address, self.workers)?,
        };
        BoundListener::new(wanted.name.as_str().into(), wanted.address, address, sockets)
    }
}

fn trace_settings(tracing: &config::Tracing) -> TraceSettings {
    let collector = tracing.collector.as_ref().map(|collector| {
        let config::Collector { host, port, path } = collector.clone();
        Collector { host, port, path }
    });
    TraceSettings {
        collector,
        service: tracing.service.clone(),
        per_million: tracing.sample.thousandths() * 1_000,
        follow_parent: tracing.follow_parent,
    }
}

/// What is not configured is what there are descriptors for.
fn bounds(overload: &config::Overload, workers: usize) -> Bounds {
    let connections = overload.connections.unwrap_or_else(listener::room_for_connections);
    let requests = overload.requests.unwrap_or(connections);
    Bounds { connections, per_address: overload.connections_per_address, requests, share: requests / workers.max(1) }
}

/// Says why an address cannot be bound.
pub(crate) fn bind_problem(config: &Config, address: SocketAddr, error: &std::io::Error) -> Problem {
    let remedy = match error.kind() {
        std::io::ErrorKind::AddrInUse => "another process has it; stop that, or choose another port".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need the capability CAP_NET_BIND_SERVICE; grant it, or choose another port".to_owned()
        }
        _ => "choose an address of this machine".to_owned(),
    };
    let file = config.files.first().filter(|_| config.from_file).cloned().unwrap_or_else(|| PathBuf::from("--listen"));
    Problem { file, line: None, key: None, message: format!("cannot listen on {address}: {error}"), remedy }
}

/// What is wrong with a first snapshot so that it cannot serve.
fn final_problems(of_secrets: &[Problem], statuses: &[PolicyStatus]) -> Vec<Problem> {
    let failed = statuses.iter().filter(|status| status.state == PolicyState::Failed);
    let mut problems: Vec<Problem> = Vec::new();
    // What a team has too much of is a problem of each of its policies.
    for problem in of_secrets.iter().chain(failed.flat_map(|status| &status.problems)) {
        if !problems.contains(problem) {
            problems.push(problem.clone());
        }
    }
    problems
}

/// Routes of a config file whose policies never were ready. In the form without a config file, the chain is what is ready.
fn unusable_routes(config: &Config, statuses: &[PolicyStatus]) -> Vec<Problem> {
    if !config.from_file {
        return Vec::new();
    }
    let failed =
        |name: &String| statuses.iter().find(|status| status.name == *name && status.state == PolicyState::Failed);
    config
        .routes
        .iter()
        .flat_map(|route| route.policies.iter().filter_map(failed))
        .flat_map(|status| status.problems.clone())
        .collect()
}

/// The teams that have such routes.
fn unready_teams(config: &Config, statuses: &[PolicyStatus]) -> Vec<String> {
    let is_failed =
        |name: &String| statuses.iter().any(|status| status.name == *name && status.state == PolicyState::Failed);
    let unusable = config.routes.iter().filter(|route| route.policies.iter().any(is_failed));
    let mut teams: Vec<_> = unusable.filter_map(|route| route.team.clone()).collect();
    teams.dedup();
    teams
}

pub(super) fn tls(tls: &config::UpstreamTls) -> Arc<Tls> {
    let (identity, sni) = (tls.identity.clone(), tls.sni.clone());
    Arc::new(Tls { roots: Arc::clone(&tls.roots), identity, sni, digest: tls.digest })
}
