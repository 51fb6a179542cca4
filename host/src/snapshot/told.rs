//! What is written into the history about policies while they are made.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Problem;
use crate::deploy::{Deploy, Record, Stage, Steps, Version};
use crate::sandbox::Digest;

/// Follows policies through their stages, one at a time.
pub(super) struct Told {
    pub(super) deploy: Arc<Deploy>,
    /// The stages of the policy that is being made.
    pub(super) steps: Steps,
    /// Why each policy failed last, so that a failure is told once and not again with each change of something else.
    failures: HashMap<String, (Option<Version>, Vec<Problem>)>,
}

impl Told {
    pub(super) fn new(deploy: Arc<Deploy>) -> Self {
        Self { deploy, steps: Steps::default(), failures: HashMap::new() }
    }

    /// A policy is ready that was not before.
    pub(super) fn ready(&mut self, policy: &str, version: Version, module: Digest) {
        self.failures.remove(policy);
        self.write(policy, Some(version), Some(module), false);
    }

    /// Nothing has changed about it.
    pub(super) fn same(&mut self, policy: &str) {
        self.failures.remove(policy);
        let _ = self.steps.finish(false);
    }

    /// It could not be made.
    pub(super) fn failed(
        &mut self,
        policy: &str,
        version: Option<Version>,
        module: Option<Digest>,
        problems: &[Problem],
    ) {
        let failure = (version, problems.to_vec());
        if self.failures.get(policy) == Some(&failure) {
            let _ = self.steps.finish(true);
            return;
        }
        let failed = self.write(policy, version, module, true);
        let record = failed.unwrap_or_else(|| self.deploy.note(Stage::Read).of(policy, version, module));
        let reason = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        self.deploy.record(record.failed(reason));
        self.failures.insert(policy.to_owned(), failure);
    }

    /// Writes the stages that ended well, and gives a record for the one that did not.
    fn write(
        &mut self,
        policy: &str,
        version: Option<Version>,
        module: Option<Digest>,
        failed: bool,
    ) -> Option<Record> {
        let finished = self.steps.finish(failed);
        for (stage, elapsed, remark) in finished.done {
            let record = self.deploy.note(stage).of(policy, version, module).took(elapsed);
            self.deploy.record(match remark {
                Some(remark) => record.because(remark),
                None => record,
            });
        }
        let (stage, elapsed) = finished.failure?;
        Some(self.deploy.note(stage).of(policy, version, module).took(elapsed))
    }
}
