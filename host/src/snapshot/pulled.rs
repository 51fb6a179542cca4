//! Modules of policies that are in registries or bundles, and whether any module may be run.

use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::policies::{self, PolicyMaker, PolicyState, PolicyStatus};
use super::trust::{self, Verdict};
use crate::chain::Policy;
use crate::config::{self, Config, FilterSource, PolicyEntry, Problem, Trust};
use crate::deploy::{Proof, Stage};
use crate::oci;
use crate::pull::{Pulled, Pulls, Wanted};
use crate::sandbox::{Content, Digest};

/// Where a policy's module was fetched from.
#[derive(Clone, Debug)]
pub struct PulledStatus {
    /// As the policy names it.
    pub reference: String,
    /// The digest of the artifact that is here; none if it was not looked at.
    pub artifact: Option<oci::Digest>,
    /// The key that its signature was verified with.
    pub signed_by: Option<String>,
    pulls: Option<Arc<Pulls>>,
}

impl PulledStatus {
    /// Why it could not be looked at when that was tried last.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.pulls.as_ref().and_then(|pulls| pulls.failure(&self.reference))
    }

    /// When it was fetched, in seconds since 1970.
    #[must_use]
    pub fn fetched_at(&self) -> Option<u64> {
        self.pulls.as_ref().and_then(|pulls| pulls.fetched_at(&self.reference))
    }
}

/// All modules that policies of a configuration have elsewhere.
#[must_use]
pub fn wanted(config: &Config) -> Vec<Wanted> {
    let policies = config.policies.iter().filter_map(|entry| entry.policy.as_ref().ok());
    let wanted = policies.filter_map(|policy| {
        let reference = policy.filter.reference()?.clone();
        let rule = config.trust.iter().find(|rule| rule.is_about(&reference.place));
        let signed = rule.is_some_and(|rule| !rule.keys.is_empty());
        Some(Wanted { policy: policy.name.clone(), reference, every: policy.every, signed })
    });
    wanted.collect()
}

/// What there is to say of a policy whose module is not looked at, because it is elsewhere.
pub(super) fn left_out(policy: &config::Policy) -> Option<PolicyStatus> {
    let reference = policy.filter.reference()?.to_string();
    Some(PolicyStatus {
        name: policy.name.clone(),
        filter: Some(policy.filter.name().to_owned()),
        digest: None,
        title: None,
        version: None,
        is_new: false,
        held: None,
        pulled: Some(PulledStatus { reference, artifact: None, signed_by: None, pulls: None }),
        state: PolicyState::Live,
        problems: Vec::new(),
        distrusted: Vec::new(),
    })
}

/// Cases of a module name it by its file: has it in one as long as they run.
pub(super) fn with_file<T>(
    policy: &config::Policy,
    content: &[u8],
    run: impl FnOnce(&config::Policy) -> Result<T, Vec<Problem>>,
) -> Result<T, Vec<Problem>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let folder = std::env::temp_dir().join(format!("tollgate-{}-{now}", std::process::id()));
    let name = policy.filter.name().to_owned();
    let path = folder.join(format!("{name}.wasm"));
    let made = std::fs::DirBuilder::new().mode(0o700).create(&folder).and_then(|()| std::fs::write(&path, content));
    let ran = match made {
        Ok(()) => run(&config::Policy { filter: FilterSource::Module { name, path }, ..policy.clone() }),
        Err(error) => {
            let message = format!("its cases cannot be run, as {} cannot be written: {error}", folder.display());
            Err(vec![policy.source_problem(message, "make room in the folder for temporary files")])
        }
    };
    let _ = std::fs::remove_dir_all(&folder);
    ran
}

impl PolicyMaker {
    /// Fetches what a configuration names and what is not here yet.
    pub(super) fn get_ready(&self, config: &Config) {
        if let Some(pulls) = &self.pulls {
            pulls.get_ready(&wanted(config), &config.registries);
        }
    }

    /// The module of a policy, if it may be run, and what it has to show. `older` are the versions of it that there are.
    pub(super) fn trusted(
        &mut self,
        policy: &config::Policy,
        older: &[Arc<Policy>],
    ) -> Result<(Content, Proof), Problem> {
        let (content, proof) = match (&policy.filter, self.pulls.clone()) {
            (FilterSource::Pulled { reference, .. }, Some(pulls)) => {
                self.told.steps.enter(Stage::Fetch);
                let unavailable = |problem| {
                    let message = format!("{reference} cannot be fetched: {problem}");
                    policy.source_problem(message, "it is tried again by itself")
                };
                let pulled = pulls.get(reference).map_err(unavailable)?;
                self.told.steps.remark(format!("{reference} is {}", pulled.artifact));
                self.told.steps.enter(Stage::Verify);
                let Pulled { artifact, module, signatures } = pulled;
                (module, Proof { artifact: Some(artifact), signatures, beside: None })
            }
            (filter, _) => {
                self.told.steps.enter(Stage::Verify);
                let content = policies::read(policy)?;
                (content, Proof { beside: filter.path().and_then(trust::beside), ..Proof::default() })
            }
        };
        match trust::of(policy, &content, &proof, &self.trust)? {
            Verdict::Unsigned(why) if !older.iter().any(|older| older.filter.module.digest == content.digest()) => {
                tracing::warn!(
                    policy = policy.name,
                    module = policy.filter.name(),
                    why,
                    "a module is run that nobody trusted has signed"
                );
            }
            _ => {}
        }
        Ok((content, proof))
    }

    /// What there is to say of where a policy's module comes from, if that is another place. `serving` is its digest.
    pub(super) fn pulled_status(&self, entry: &PolicyEntry, serving: Option<Digest>) -> Option<PulledStatus> {
        let policy = entry.policy.as_ref().ok()?;
        let (reference, pulls) = (policy.filter.reference()?, self.pulls.as_ref()?);
        let pulled = pulls.get(reference).ok();
        let is_it = pulled.as_ref().is_some_and(|pulled| Some(pulled.module.digest()) == serving);
        let pulled = pulled.filter(|_| is_it);
        let rule = self.trust.iter().find(|rule: &&Trust| rule.is_about(&reference.place));
        let signed = pulled.as_ref().zip(rule);
        let signed = signed.and_then(|(it, rule)| oci::verify(&it.artifact, &it.signatures, &rule.keys).ok());
        Some(PulledStatus {
            reference: reference.to_string(),
            artifact: pulled.map(|pulled| pulled.artifact),
            signed_by: signed.map(|signed| signed.key.to_string()),
            pulls: Some(Arc::clone(pulls)),
        })
    }
}
