//! From policy entries to policies that are ready: read, compiled, configured. What has not changed is taken over, and
//! what fails keeps its older version.

use std::path::PathBuf;
use std::sync::Arc;

use super::Snapshot;
use super::captures::Captures;
use super::grants;
use super::held::Recovery;
use super::pulled::{self, PulledStatus};
use super::requirements::{self, Lack};
use super::script;
use super::secrets::Secrets;
use super::self_test::Tester;
use super::state::StateMaker;
use super::told::Told;
use super::trial::{Loaded, Trial};
use crate::bundled;
use crate::chain::{FaultAnswer, Load, Policy, Quarantine, QuarantineSettings};
use crate::config::{self, Catalogue, FilterSource, PolicyEntry, Problem, Store, Trust};
use crate::deploy::{Deploy, Fresh, Held, Proof, Stage, Version};
use crate::pull::Pulls;
use crate::sandbox::{
    CalloutGrants, Content, Digest, Fault, Filter, FilterSettings, Grants, Isolation, Module, ModuleCache, ModuleError,
    Reach, Sources,
};
use crate::telemetry::Metrics;

/// How a policy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyState {
    /// As configured.
    Live,
    /// The latest change was rejected; the version before it serves.
    Kept,
    /// It never was ready.
    Failed,
}

impl PolicyState {
    /// As the admin pages name it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Kept => "kept",
            Self::Failed => "failed",
        }
    }
}

/// What a module calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Its name.
    pub name: String,
    /// Its version, as its author counts.
    pub version: String,
}

impl Title {
    fn of(module: &Module) -> Option<Self> {
        let manifest = module.manifest()?;
        Some(Self { name: manifest.name.clone(), version: manifest.version.clone() })
    }
}

/// What there is to say about a policy.
#[derive(Clone, Debug)]
pub struct PolicyStatus {
    /// Its name.
    pub name: String,
    /// The filter that it names.
    pub filter: Option<String>,
    /// The digest of the module that serves.
    pub digest: Option<Digest>,
    /// The version that serves.
    pub version: Option<Version>,
    /// Whether another one served before.
    pub is_new: bool,
    /// Why another version than the one that is written serves, if somebody wanted that.
    pub held: Option<Held>,
    /// What the module that serves calls itself, if it has a manifest.
    pub title: Option<Title>,
    /// Where its module comes from, if it was fetched.
    pub pulled: Option<PulledStatus>,
    /// How it stands.
    pub state: PolicyState,
    /// Why the latest change was rejected.
    pub problems: Vec<Problem>,
    /// Why the version that serves could not be begun with now: what teams may, or who is trusted, has changed since.
    pub distrusted: Vec<Problem>,
}

/// What came of an entry.
pub(super) struct Made {
    pub(super) policy: Option<Arc<Policy>>,
    /// If a version of it is on trial.
    pub(super) trial: Option<Arc<Trial>>,
    pub(super) status: PolicyStatus,
}

/// Makes policies of entries.
pub(super) struct PolicyMaker {
    pub(super) cache: Arc<ModuleCache>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) workers: usize,
    pub(super) secrets: Secrets,
    pub(super) state: StateMaker,
    pub(super) sources: Option<Arc<dyn Sources>>,
    pub(super) told: Told,
    /// Versions that were made for this snapshot and are not kept yet.
    pub(super) fresh: Vec<Fresh>,
    pub(super) recovery: Recovery,
    pub(super) tester: Tester,
    /// What teams may do.
    pub(super) catalogue: Option<Arc<Catalogue>>,
    /// Modules that are elsewhere; without it, these are left out.
    pub(super) pulls: Option<Arc<Pulls>>,
    /// Whose modules are run.
    pub(super) trust: Vec<Trust>,
    captures: Captures,
}

impl PolicyMaker {
    pub(super) fn new(cache: Arc<ModuleCache>, metrics: Arc<Metrics>, workers: usize, deploy: Arc<Deploy>) -> Self {
        let state = StateMaker::new(Arc::clone(&metrics));
        let (secrets, captures) = (Secrets::default(), Captures::default());
        Self {
            cache,
            metrics,
            workers,
            secrets,
            state,
            sources: None,
            told: Told::new(deploy),
            fresh: Vec::new(),
            recovery: Recovery::default(),
            tester: None,
            catalogue: None,
            pulls: None,
            trust: Vec::new(),
            captures,
        }
    }

    /// The policy of an entry, if there is one now or was one before.
    pub(super) fn make(&mut self, entry: &PolicyEntry, stores: &[Store], previous: Option<&Snapshot>) -> Made {
        if self.pulls.is_none()
            && let Ok(policy) = &entry.policy
            && let Some(status) = pulled::left_out(policy)
        {
            return Made { policy: None, trial: None, status };
        }
        let loaded = Loaded::of(&entry.name, previous);
        let held = self.held_version(entry);
        let made = match held {
            Some(version) => self.attempt_kept(entry, version, stores, &loaded.all()),
            None => match &entry.policy {
                Ok(policy) => self.attempt(policy, stores, &loaded.all()),
                Err(problems) => {
                    self.told.failed(&entry.name, None, None, problems);
                    Err(problems.clone())
                }
            },
        };
        let filter = entry.policy.as_ref().ok().map(|policy| policy.filter.name().to_owned());
        let (made, trial, problems) = match made {
            Ok(made) => match held.map_or_else(|| self.try_out(entry, &made, stores, &loaded), |_| Ok(None)) {
                Ok(trial) => (Some(made), trial, vec![]),
                Err(mut problems) => (self.stand_in(entry, stores, &loaded, &mut problems), None, problems),
            },
            Err(mut problems) => {
                let made = self.stand_in(entry, stores, &loaded, &mut problems);
                let trial = made.as_ref().filter(|_| held.is_none()).and_then(|made| self.go_on(made, &loaded));
                (made, trial, problems)
            }
        };
        let made = match &trial {
            Some(trial) if !trial.course.is_immediate() => Some((Arc::clone(&trial.stable), trial.course.stable)),
            _ => made,
        };
        let state = match (&made, problems.is_empty()) {
            (_, true) => PolicyState::Live,
            (Some(_), false) => PolicyState::Kept,
            (None, false) => PolicyState::Failed,
        };
        let (policy, version) = made.unzip();
        let digest = policy.as_ref().map(|policy| policy.filter.module.digest);
        let (is_new, held) = (version != loaded.version(), self.told.deploy.held(&entry.name));
        let title = policy.as_ref().and_then(|policy| Title::of(&policy.filter.module));
        let pulled = self.pulled_status(entry, digest);
        let distrusted = self.distrusted(entry, version, state, trial.as_deref(), &loaded);
        let name = entry.name.clone();
        let status =
            PolicyStatus { name, filter, digest, title, version, is_new, held, pulled, state, problems, distrusted };
        Made { policy, trial, status }
    }

    /// The policy as its entry says, with its version. What becomes of each stage is told.
    fn attempt(
        &mut self,
        policy: &config::Policy,
        stores: &[Store],
        older: &[Arc<Policy>],
    ) -> Result<(Arc<Policy>, Version), Vec<Problem>> {
        match self.trusted(policy, older) {
            Ok(module) => self.attempt_with(policy, module, stores, older),
            Err(problem) => {
                let problems = vec![problem];
                self.told.failed(&policy.name, None, None, &problems);
                Err(problems)
            }
        }
    }

    /// As `attempt`, of a module that has been read.
    fn attempt_with(
        &mut self,
        policy: &config::Policy,
        (content, proof): (Content, Proof),
        stores: &[Store],
        older: &[Arc<Policy>],
    ) -> Result<(Arc<Policy>, Version), Vec<Problem>> {
        let module = content.digest();
        let version = Version::of(policy, module);
        let made = verify(policy, module).and_then(|()| self.is_wanted(policy, version)).and_then(|()| {
            let made = self.prepare_from(policy, &content, stores, older)?;
            if !older.iter().any(|older| Arc::ptr_eq(older, &made)) {
                self.self_test(policy, version, &made.filter.module, &content)?;
            }
            Ok(made)
        });
        match made {
            Ok(made) => {
                match older.iter().any(|older| Arc::ptr_eq(older, &made)) {
                    true => self.told.same(&policy.name),
                    false => self.told.ready(&policy.name, version, module),
                }
                self.keep(policy, version, content, proof);
                Ok((made, version))
            }
            Err(problems) => {
                self.told.failed(&policy.name, Some(version), Some(module), &problems);
                Err(problems)
            }
        }
    }

    pub(super) fn prepare(
        &mut self,
        policy: &config::Policy,
        stores: &[Store],
        older: &[Arc<Policy>],
    ) -> Result<Arc<Policy>, Vec<Problem>> {
        let content = read(policy).map_err(|problem| vec![problem])?;
        self.prepare_from(policy, &content, stores, older)
    }

    pub(super) fn prepare_from(
        &mut self,
        policy: &config::Policy,
        content: &Content,
        stores: &[Store],
        older: &[Arc<Policy>],
    ) -> Result<Arc<Policy>, Vec<Problem>> {
        let on_fault = policy.on_fault.map(answer);
        let quarantine = policy.quarantine.map(quarantine);
        let grants = Arc::new(grants::granted(policy, &self.secrets)?);
        let configuration = script::configuration(policy, content).map_err(|problem| vec![problem])?;
        let settings = self.settings(policy, configuration, stores, &grants);
        let is_same = |older: &&Arc<Policy>| {
            older.on_fault == on_fault
                && older.quarantine.as_ref().map(|older| older.settings) == quarantine
                && older.load.as_ref().map(|load| load.most) == policy.limits.exchanges
                && older.filter.module.digest == content.digest()
                && older.filter.settings.same_as(&settings)
                && self.captures.is_unchanged(policy, older)
        };
        if let Some(older) = older.iter().find(is_same) {
            let other = requirements::another_version(policy, &older.filter.module);
            return other.map_or_else(|| Ok(Arc::clone(older)), |problem| Err(vec![problem]));
        }
        let reach = if settings.spaces.are_far() { Reach::Far } else { Reach::Near };
        self.told.steps.enter(Stage::Compile);
        let module = script::module(&self.cache, policy, content, reach).map_err(|error| {
            self.told.steps.is_rather(stage_of(&error));
            vec![module_problem(policy, &error.to_string())]
        })?;
        self.told.steps.enter(Stage::TypeCheck);
        let ungranted = requirements::ungranted(policy, &grants, &module);
        if ungranted.is_none() {
            self.told.steps.enter(Stage::Configure);
        }
        let other = requirements::another_version(policy, &module);
        let unmet: Vec<_> = other.into_iter().chain(ungranted).chain(requirements::unfit(policy, &module)).collect();
        if !unmet.is_empty() {
            return Err(unmet);
        }
        let name = Arc::clone(&settings.name);
        let filter =
            Filter::prepare(module, settings, self.workers).map_err(|fault| vec![configure_problem(policy, &fault)])?;
        let missing: Vec<_> = filter.missing_grants().iter().map(Lack::from).collect();
        if !missing.is_empty() {
            return Err(vec![requirements::missing(policy, &missing)]);
        }
        let metrics = self.metrics.filter(&name);
        metrics.set_in_quarantine(false);
        let quarantine = quarantine.map(|settings| Quarantine::new(settings, Arc::clone(&metrics)));
        let load = policy.limits.exchanges.map(|most| Load::new(most, self.workers));
        let recorder = self.captures.recorder(policy);
        Ok(Arc::new(Policy { name, filter, on_fault, quarantine, load, metrics, recorder }))
    }

    fn settings(
        &mut self,
        policy: &config::Policy,
        configuration: String,
        stores: &[Store],
        grants: &Arc<Grants>,
    ) -> FilterSettings {
        FilterSettings {
            name: policy.name.as_str().into(),
            configuration,
            cpu: policy.limits.cpu,
            exchange_cpu: policy.limits.exchange_cpu,
            configure_cpu: policy.limits.configure,
            memory: policy.limits.memory,
            body: policy.limits.body,
            isolation: match policy.isolation {
                config::Isolation::Shared => Isolation::Shared,
                config::Isolation::Exchange => Isolation::Exchange,
            },
            recycle: policy.limits.recycle,
            callouts: Arc::new(callouts(policy)),
            instances: policy.limits.instances,
            tick_cpu: policy.limits.tick_cpu,
            tick_timeout: policy.limits.tick_timeout,
            metrics: self.metrics.filter(&policy.name),
            limiter: self.state.limiter(&policy.name),
            spaces: self.state.spaces(policy, stores),
            grants: Arc::clone(grants),
            sources: self.sources.clone(),
            follows: policy.capture.is_some() || self.sources.is_some(),
        }
    }
}

/// Linking comes with compiling.
fn stage_of(error: &ModuleError) -> Stage {
    match error {
        ModuleError::TooLarge(_) | ModuleError::NoEngine(_) => Stage::Verify,
        ModuleError::Malformed(_) | ModuleError::TooSlow(_) | ModuleError::FunctionTooLarge(_) => Stage::Compile,
        ModuleError::NoMetadata(_)
        | ModuleError::WrongWorld(_)
        | ModuleError::Foreign { .. }
        | ModuleError::Manifest(_)
        | ModuleError::RefusedImport(_) => Stage::TypeCheck,
    }
}

fn answer(answer: config::FaultAnswer) -> FaultAnswer {
    match answer {
        config::FaultAnswer::Deny(status) => FaultAnswer::Deny(status),
        config::FaultAnswer::Bypass => FaultAnswer::Bypass,
    }
}

fn quarantine(settings: config::Quarantine) -> QuarantineSettings {
    QuarantineSettings {
        faults: settings.faults,
        within: settings.within,
        per_mille: settings.share.thousandths(),
        action: answer(settings.action),
        probe: settings.probe,
    }
}

/// Where a service, or a user's programs, keep their state (systemd.exec(5), XDG Base Directory specification).
pub(crate) fn default_state_dir() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // There may be several, separated by colons.
    let service = std::env::var("STATE_DIRECTORY").ok().and_then(|dirs| dirs.split(':').next().map(PathBuf::from));
    let user = || absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    service.filter(|dir| dir.is_absolute()).or_else(|| Some(user()?.join("tollgate")))
}

fn callouts(policy: &config::Policy) -> CalloutGrants {
    CalloutGrants {
        upstreams: policy.grants.callouts.iter().map(|grant| grant.name.as_str().into()).collect(),
        count: u32::try_from(policy.limits.callouts).unwrap_or(u32::MAX),
        timeout: policy.limits.callout_timeout,
        body: policy.limits.callout_body,
    }
}

pub(super) fn read(policy: &config::Policy) -> Result<Content, Problem> {
    match &policy.filter {
        FilterSource::Module { path, .. } => {
            let unreadable =
                |error| module_problem(policy, &format!("cannot be read: {error}; check that the file can be read"));
            let size = std::fs::metadata(path).map_err(unreadable)?.len();
            Module::check_size(size).map_err(|error| module_problem(policy, &error.to_string()))?;
            std::fs::read(path).map(Content::from).map_err(unreadable)
        }
        FilterSource::Pulled { reference, .. } => {
            Err(module_problem(policy, &format!("{reference} is not here; pull it into a file")))
        }
        FilterSource::Bundled { name } => bundled::module(name)
            .map(|module| module.to_vec().into())
            .ok_or_else(|| module_problem(policy, "is not bundled")),
    }
}

/// Whether the module is the one that the entry names by its digest, if it does.
fn verify(policy: &config::Policy, module: Digest) -> Result<(), Vec<Problem>> {
    match &policy.sha256 {
        Some((wanted, place)) if *wanted != module.to_string() => {
            let config::Place { file, line, key } = place.clone();
            let message = format!("the module of {:?} is another one, {module}", policy.filter.name());
            let remedy = "see where it comes from; if it is as it should be, write that".to_owned();
            Err(vec![Problem { file, line, key, message, remedy }])
        }
        _ => Ok(()),
    }
}

fn module_problem(policy: &config::Policy, message: &str) -> Problem {
    let (message, remedy) = message.rsplit_once("; ").unwrap_or((message, ""));
    let file = policy.filter.path().map_or_else(|| policy.place.file.clone(), ToOwned::to_owned);
    Problem { file, line: None, key: None, message: message.to_owned(), remedy: remedy.to_owned() }
}

fn configure_problem(policy: &config::Policy, fault: &Fault) -> Problem {
    use crate::sandbox::FaultClass;
    match fault.class {
        FaultClass::Reported => {
            script::problem(policy, &fault.message).unwrap_or_else(|| policy.config_problem(fault.message.clone(), ""))
        }
        FaultClass::Deadline => policy.config_problem(
            format!("the filter did not accept its configuration in time: {}", fault.told()),
            "raise limits.configure or simplify the configuration",
        ),
        FaultClass::Memory => policy.config_problem(
            format!("the filter ran out of memory over its configuration: {}", fault.told()),
            "raise limits.memory",
        ),
        _ => policy.config_problem(
            format!("the filter failed while it was configured ({}): {}", fault.class.label(), fault.told()),
            "this is a fault of the filter; tell its author",
        ),
    }
}
