//! What cases are run on: the gateway's own engine, and policies that it has made of a file.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::{Builder as RuntimeBuilder, Runtime};

use super::body::Cutting;
use super::exchange::{self, Seen};
use super::log;
use super::recorder::{Hook, TestRecorder};
use super::report::Failure;
use super::state;
use super::upstreams::Upstreams;
use super::world::World;
use crate::chain::{Chain, LocalChain, Policy};
use crate::config::Problem;
use crate::config::cases::{Case, Setting, SpaceOf, Step};
use crate::sandbox::{Digest, Module, ModuleCache, Sandbox, Secret, SecretValue};
use crate::snapshot::{Builder, Stage, default_state_dir};

/// Compiles and configures on the gateway's engine.
pub(super) struct Bench {
    cache: Arc<ModuleCache>,
    runtime: Runtime,
    /// Keeps what was compiled until the next modules.
    modules: Vec<Arc<Module>>,
    /// Until when cases may take, if that is bounded.
    pub(super) until: Option<Instant>,
}

/// Policies that are ready, alone in their world: what they count and keep is of one case.
pub(super) struct Ready {
    pub(super) policies: Vec<Arc<Policy>>,
    filters: LocalChain,
    recorder: Arc<TestRecorder>,
    world: Arc<World>,
    secrets: Vec<(String, Arc<Secret>)>,
}

/// What has happened in an exchange.
pub(super) struct Happened {
    pub(super) seen: Seen,
    /// What filters have logged.
    pub(super) lines: Vec<String>,
    pub(super) hooks: Vec<Hook>,
    /// What was not as it should be around it.
    pub(super) failures: Vec<Failure>,
}

impl Bench {
    pub(super) fn new(state_dir: Option<&Path>) -> Result<Self, String> {
        let sandbox = Sandbox::new().map_err(|error| format!("the sandbox cannot be made: {error:#}"))?;
        let folder = state_dir.map(Path::to_owned).or_else(default_state_dir);
        Self::on(Arc::new(ModuleCache::new(sandbox, folder.map(|folder| folder.join("modules")))))
    }

    /// On an engine that there is already.
    pub(super) fn on(cache: Arc<ModuleCache>) -> Result<Self, String> {
        let runtime = RuntimeBuilder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        Ok(Self { cache, runtime, modules: Vec::new(), until: None })
    }

    /// Whether cases have taken longer than they may.
    pub(super) fn is_late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() > until)
    }

    /// Of the modules that the last case was run on.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.modules.iter().map(|module| module.digest)
    }

    /// Makes the policies anew, with instances that have served nobody, in the world that the case begins with.
    pub(super) fn prepare(&mut self, case: &Case) -> Result<Ready, Vec<Problem>> {
        let (world, recorder) = (Arc::new(World::default()), Arc::new(TestRecorder::default()));
        let setting = case.steps.first().map(|step| step.setting.clone()).unwrap_or_default();
        world.set(&setting);
        let secret = |(name, value): &(String, Vec<u8>)| (name.clone(), Arc::new(Secret::new(hidden(value))));
        let secrets: Vec<_> = setting.secrets.iter().map(secret).collect();
        let stage = Stage { sources: Arc::clone(&world) as _, clock: world.clock(), secrets: secrets.clone() };
        let mut builder = Builder::staged(Arc::clone(&self.cache), stage);
        let (mut policies, mut problems) = (Vec::new(), Vec::new());
        for policy in &case.policies {
            match builder.policy(policy, Arc::clone(&recorder) as _) {
                Ok(policy) => policies.push(policy),
                Err(more) => problems.extend(more),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        self.modules = policies.iter().map(|policy| Arc::clone(&policy.filter.module)).collect();
        let chain = Chain::new(policies.iter().map(|policy| (Arc::clone(policy), Arc::default())));
        Ok(Ready { filters: exchange::local(&chain), policies, recorder, world, secrets })
    }
}

impl Ready {
    /// Takes an exchange through the policies.
    pub(super) fn pass(&mut self, step: &Step, cuts: [&Cutting; 2], bench: &Bench) -> Happened {
        let mut failures = self.set(&step.setting);
        let upstreams = Upstreams::new(step, &self.world);
        let run = exchange::run(self.filters.clone(), step, cuts, Rc::clone(&upstreams) as _);
        let recorder = Arc::clone(&self.recorder);
        let (seen, lines) = log::collect(move |line| recorder.logged(line), || bench.runtime.block_on(run));
        failures.extend(upstreams.failures());
        Happened { seen, lines, hooks: self.recorder.take(), failures }
    }

    /// Makes the world as it is before an exchange.
    fn set(&mut self, setting: &Setting) -> Vec<Failure> {
        self.world.set(setting);
        for (name, secret) in &self.secrets {
            if let Some((_, value)) = setting.secrets.iter().find(|(known, _)| known == name) {
                secret.set(hidden(value));
            }
        }
        state::put(&self.policies, &setting.stores)
    }

    /// What is in a space under a key.
    pub(super) fn stored(&self, space: &SpaceOf, key: &str) -> Option<Vec<u8>> {
        state::value(&self.policies, space, key)
    }

    /// How a hook is called; with its policy where there are several.
    pub(super) fn name_of(&self, hook: &Hook) -> String {
        match &self.policies[..] {
            [_] => hook.name.to_owned(),
            _ => format!("{} of {}", hook.name, hook.policy),
        }
    }

    /// The most memory that an instance has had, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.policies.iter().map(|policy| policy.metrics.memory_high_water()).max().unwrap_or(0)
    }
}

fn hidden(value: &[u8]) -> SecretValue {
    SecretValue::new(value.to_vec())
}
