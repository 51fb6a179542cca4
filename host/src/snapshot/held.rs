//! Policies that serve in another version than the one that is written: because somebody wants it, or because what is written is
//! no good and the program has served another version before.

use std::sync::Arc;

use super::policies::PolicyMaker;
use super::trial::Loaded;
use crate::chain::Policy;
use crate::config::{self, PolicyEntry, Problem, Store, WrittenPolicy};
use crate::deploy::{Fresh, Held, KeptPolicy, Proof, Stage, Version};
use crate::sandbox::Content;

/// Which policies are taken from what served when the program ran last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Recovery {
    /// None.
    None,
    /// Those that are no good as written.
    #[default]
    Broken,
    /// All of them.
    All,
}

/// A policy that is ready, and which version of it that is.
pub(super) type Ready = (Arc<Policy>, Version);

impl PolicyMaker {
    /// The version that is to be had whatever is written.
    pub(super) fn held_version(&self, entry: &PolicyEntry) -> Option<Version> {
        let deploy = &self.told.deploy;
        match deploy.held(&entry.name) {
            Some(Held::Pinned(version) | Held::Paused(version)) => Some(version),
            Some(Held::RolledBack(_, version, _)) if deploy.is_paused() => Some(version),
            _ if self.recovery == Recovery::All || deploy.is_paused() => deploy.last_version(&entry.name),
            _ => None,
        }
    }

    /// A version of a policy as it is kept.
    pub(super) fn attempt_kept(
        &mut self,
        entry: &PolicyEntry,
        version: Version,
        stores: &[Store],
        older: &[Arc<Policy>],
    ) -> Result<Ready, Vec<Problem>> {
        self.told.steps.enter(Stage::Verify);
        match self.told.deploy.kept(&entry.name, version) {
            Ok(mut kept) => match self.admit(&mut kept) {
                Ok(()) => self.prepare_kept(&kept, version, stores, older),
                Err(problems) => {
                    self.told.failed(&entry.name, Some(version), None, &problems);
                    Err(problems)
                }
            },
            Err(message) => {
                let problems = vec![kept_problem(entry, message)];
                self.told.failed(&entry.name, Some(version), None, &problems);
                Err(problems)
            }
        }
    }

    fn prepare_kept(
        &mut self,
        KeptPolicy { policy, content, .. }: &KeptPolicy,
        version: Version,
        stores: &[Store],
        older: &[Arc<Policy>],
    ) -> Result<Ready, Vec<Problem>> {
        match self.prepare_from(policy, content, stores, older) {
            Ok(made) => {
                match older.iter().any(|older| Arc::ptr_eq(older, &made)) {
                    true => self.told.same(&policy.name),
                    false => self.told.ready(&policy.name, version, made.filter.module.digest),
                }
                Ok((made, version))
            }
            Err(problems) => {
                self.told.failed(&policy.name, Some(version), None, &problems);
                Err(problems)
            }
        }
    }

    /// What serves in the place of what is written: the version that a roll-back named, the one that serves, or the one that
    /// served when the program ran last, which serves whatever has become of who is trusted. Why a version that was named does not
    /// is added to the problems.
    pub(super) fn stand_in(
        &mut self,
        entry: &PolicyEntry,
        stores: &[Store],
        loaded: &Loaded,
        problems: &mut Vec<Problem>,
    ) -> Option<Ready> {
        let named = match self.told.deploy.held(&entry.name) {
            Some(Held::RolledBack(_, serve, _)) => Some(serve),
            _ => None,
        };
        if let Some(version) = named.filter(|named| loaded.version() != Some(*named)) {
            if self.told.deploy.has_passed(&entry.name, version) {
                match self.attempt_kept(entry, version, stores, &loaded.all()) {
                    Ok(ready) => return Some(ready),
                    Err(more) => problems.extend(more),
                }
            }
            let is_fit = |known: &Arc<Policy>| loaded.serves(known) || self.objections(&entry.name, version).is_empty();
            if let Some(known) = loaded.find(version).filter(|known| is_fit(known)) {
                return Some((Arc::clone(known), version));
            }
        }
        if let Some(ready) = &loaded.serving {
            return Some(ready.clone());
        }
        let last = self.told.deploy.last_version(&entry.name).filter(|_| self.recovery != Recovery::None)?;
        self.told.steps.enter(Stage::Verify);
        let mut kept = self.told.deploy.kept(&entry.name, last).ok()?;
        // It is told what is wrong with it, but a start is no time to take it down.
        let _ = self.admit(&mut kept);
        self.prepare_kept(&kept, last, stores, &[]).ok()
    }

    /// Refuses a version that was rolled back. Another one is to be judged by itself.
    pub(super) fn is_wanted(&mut self, policy: &config::Policy, version: Version) -> Result<(), Vec<Problem>> {
        match self.told.deploy.held(&policy.name) {
            Some(Held::RolledBack(rejected, _, reason)) if rejected == version => {
                self.told.steps.is_rather(Stage::RollBack);
                let message = format!("this version was {reason}");
                Err(vec![policy.config_problem(message, "change it to have it tried again")])
            }
            Some(Held::RolledBack(..)) => {
                self.told.deploy.forgive(&policy.name);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Has the version written down once it serves, if it is not yet.
    pub(super) fn keep(&mut self, policy: &config::Policy, version: Version, content: Content, proof: Proof) {
        if !self.told.deploy.has(&policy.name, version, &proof) {
            self.fresh.push(Fresh { version, policy: WrittenPolicy::of(policy), content, proof });
        }
    }
}

fn kept_problem(entry: &PolicyEntry, message: String) -> Problem {
    let remedy = "name another version, or unpin it".to_owned();
    Problem { file: entry.origin.clone(), line: None, key: None, message, remedy }
}
