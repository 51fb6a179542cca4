//! What cases are run on: the gateway's own engine, and policies that it has made of a file.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::{Builder as RuntimeBuilder, Runtime};

use super::recorder::{Hook, TestRecorder};
use crate::chain::Policy;
use crate::config::{self, Problem};
use crate::sandbox::{Module, ModuleCache, Sandbox};
use crate::snapshot::{Builder, default_state_dir};
use crate::telemetry::Metrics;

/// Compiles and configures on the gateway's engine.
pub(super) struct Bench {
    cache: Arc<ModuleCache>,
    pub(super) runtime: Runtime,
    /// Keeps what was compiled until the next module.
    module: Option<Arc<Module>>,
}

/// A policy that is ready, alone in its gateway: what it counts and keeps is of one case.
pub(super) struct Ready {
    pub(super) policy: Arc<Policy>,
    recorder: Arc<TestRecorder>,
}

impl Bench {
    pub(super) fn new(state_dir: Option<&Path>) -> Result<Self, String> {
        let sandbox = Sandbox::new().map_err(|error| format!("the sandbox cannot be made: {error:#}"))?;
        let folder = state_dir.map(Path::to_owned).or_else(default_state_dir);
        let cache = Arc::new(ModuleCache::new(sandbox, folder.map(|folder| folder.join("modules"))));
        let runtime = RuntimeBuilder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        Ok(Self { cache, runtime, module: None })
    }

    /// Makes the policy anew, with an instance that has served nobody.
    pub(super) fn prepare(&mut self, policy: &config::Policy) -> Result<Ready, Vec<Problem>> {
        let mut builder = Builder::new(Arc::clone(&self.cache), Arc::new(Metrics::default()), 1);
        let recorder = Arc::new(TestRecorder::default());
        let policy = builder.policy(policy, recorder.clone())?;
        self.module = Some(Arc::clone(&policy.filter.module));
        Ok(Ready { policy, recorder })
    }
}

impl Ready {
    /// The hooks that have been called since this was asked last.
    pub(super) fn hooks(&self) -> Vec<Hook> {
        self.recorder.take()
    }
}
