//! The last stage before a version of a policy is live: cases that came with its module.

use std::sync::Arc;

use super::policies::PolicyMaker;
use super::pulled;
use crate::config::{Policy, Problem};
use crate::deploy::{Stage, Version};
use crate::sandbox::{Digest, Module};

/// Runs the cases that there are for a policy's module.
pub trait SelfTest: Send + Sync {
    /// Says how many there were; none if the module carries none and there is no file of them.
    ///
    /// # Errors
    /// What is wrong with the cases, or which of them fail.
    fn run(&self, policy: &Policy, module: Digest, carried: Option<&str>) -> Result<Option<usize>, Vec<Problem>>;
}

/// Who runs them, if anybody does.
pub(super) type Tester = Option<Arc<dyn SelfTest>>;

impl PolicyMaker {
    /// Runs the cases of a version that has never been live.
    pub(super) fn self_test(
        &mut self,
        policy: &Policy,
        version: Version,
        module: &Module,
        content: &[u8],
    ) -> Result<(), Vec<Problem>> {
        let Some(tester) = &self.tester else { return Ok(()) };
        if self.told.deploy.has_passed(&policy.name, version) {
            return Ok(());
        }
        self.told.steps.enter(Stage::SelfTest);
        let ran = match module.cases().filter(|_| policy.filter.reference().is_some()) {
            Some(cases) => pulled::with_file(policy, content, |policy| tester.run(policy, module.digest, Some(cases))),
            None => tester.run(policy, module.digest, module.cases()),
        };
        match ran? {
            Some(cases) => self.told.steps.remark(format!("{cases} cases")),
            None => self.told.steps.forget(),
        }
        Ok(())
    }
}
