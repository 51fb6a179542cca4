//! Versions that served before are held to what teams may have and to whom is trusted today: none is begun with that would be refused
//! now. What serves is not taken down by that, in a running gateway or by a start; it is said of it that it is no longer trusted.

use super::policies::{PolicyMaker, PolicyState};
use super::trial::{Loaded, Trial};
use super::{Builder, trust};
use crate::config::{PolicyEntry, Problem};
use crate::deploy::{KeptPolicy, Version};

impl Builder {
    /// Why a version that is kept may not serve again, as far as anything is known of it.
    #[must_use]
    pub fn objections(&self, policy: &str, version: Version) -> Vec<Problem> {
        self.policies.objections(policy, version)
    }
}

impl PolicyMaker {
    /// Holds a version that served before to what its team may have, bringing down what it does not say, and to whom is trusted.
    pub(super) fn admit(&self, KeptPolicy { policy, content, proof }: &mut KeptPolicy) -> Result<(), Vec<Problem>> {
        let admitted = self.catalogue.as_ref().map_or(Ok(()), |catalogue| catalogue.admit(policy));
        let trusted = trust::of(policy, content, proof, &self.trust).map(drop);
        let problems: Vec<_> = admitted.err().into_iter().flatten().chain(trusted.err()).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Why a version that is kept would not be admitted.
    pub(super) fn objections(&self, policy: &str, version: Version) -> Vec<Problem> {
        let kept = self.told.deploy.kept(policy, version).ok();
        kept.and_then(|mut kept| self.admit(&mut kept).err()).unwrap_or_default()
    }

    /// Why the version that serves could not be begun with now. What is as written has been admitted already.
    pub(super) fn distrusted(
        &self,
        entry: &PolicyEntry,
        version: Option<Version>,
        state: PolicyState,
        trial: Option<&Trial>,
        loaded: &Loaded,
    ) -> Vec<Problem> {
        let is_older = state == PolicyState::Kept || trial.is_some_and(|trial| !trial.course.is_immediate());
        let Some(version) = version.filter(|_| is_older) else { return Vec::new() };
        let problems = self.objections(&entry.name, version);
        if !problems.is_empty() && !loaded.is_distrusted {
            let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
            let (policy, why) = (&entry.name, told.join("; "));
            tracing::error!(policy, %version, why, "A VERSION SERVES THAT IS NO LONGER TRUSTED: deploy another one");
        }
        problems
    }
}
