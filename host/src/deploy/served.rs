//! What serves, written down after each swap and read at the start.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::Ordering;

use super::record::now;
use super::state::{Kept, Served, State};
use super::{Deploy, KeptPolicy, Proof, Shelf, Version};
use crate::config::{Recording, WrittenPolicy};
use crate::oci::Reference;
use crate::sandbox::Content;

/// A policy as it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// Its name.
    pub policy: String,
    /// Its version.
    pub version: Version,
    /// The version that is on trial, if one is.
    pub trial: Option<Version>,
}

/// A version that is ready and that has not been kept before.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// Its version.
    pub version: Version,
    /// Its entry.
    pub policy: WrittenPolicy,
    /// Its module.
    pub content: Content,
    /// Who has signed that.
    pub proof: Proof,
}

impl Deploy {
    /// Whether that version is kept with all that its module has to show. Where nothing can be, nothing need be.
    #[must_use]
    pub fn has(&self, policy: &str, version: Version, proof: &Proof) -> bool {
        self.shelf.is_none() || self.state().kept(policy, version).is_some_and(|kept| kept.proof == *proof)
    }

    /// Whether that version has been good before.
    #[must_use]
    pub fn has_passed(&self, policy: &str, version: Version) -> bool {
        self.state().kept(policy, version).is_some()
    }

    /// Writes down what serves from now on: modules and texts first, then which of them.
    pub fn served(&self, recording: &Recording, serving: &[Serving], fresh: Vec<Fresh>) {
        let mut state = self.state();
        let is_changed = note_trials(&mut state, serving);
        let Some(shelf) = &self.shelf else { return };
        let mut next = state.clone();
        let written = write(shelf, &mut next, recording, serving, fresh).and_then(|()| {
            let needed = next.collect(self.bound.load(Ordering::Relaxed), |name| shelf.blobs.size(name));
            if next != *state || is_changed {
                next.write(shelf.home.path())?;
                shelf.blobs.keep(&needed);
            }
            Ok(())
        });
        match written {
            Ok(()) => *state = next,
            Err(error) => {
                let folder = shelf.home.path().display();
                tracing::error!(%folder, %error, "what serves cannot be written down: a restart would not find it");
            }
        }
    }

    /// How many bytes are left for what can be made again of what is kept, and the modules that it would be made of.
    #[must_use]
    pub fn room(&self) -> (u64, BTreeSet<String>) {
        let bound = self.bound.load(Ordering::Relaxed);
        let Some(shelf) = &self.shelf else { return (bound, BTreeSet::new()) };
        let state = self.state();
        let used: u64 = state.needed().iter().map(|name| shelf.blobs.size(name)).sum();
        let modules = state.versions.values().flatten().map(|kept| kept.module.clone()).collect();
        (bound.saturating_sub(used), modules)
    }

    /// The configuration that served last, if it is kept.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn last_served(&self) -> io::Result<Option<(Recording, u64)>> {
        let state = self.state();
        let (Some(shelf), Some(served)) = (&self.shelf, &state.served) else { return Ok(None) };
        let text = |(path, name): (&std::path::PathBuf, &String)| Ok((path.clone(), shelf.blobs.get(name)?.to_vec()));
        let texts = served.texts.iter().map(text).collect::<io::Result<_>>()?;
        Ok(Some((Recording { texts, others: served.others.clone() }, served.at)))
    }

    /// The version of a policy that served last.
    #[must_use]
    pub fn last_version(&self, policy: &str) -> Option<Version> {
        self.state().serving(policy)
    }

    /// The version of a policy that has proved well.
    #[must_use]
    pub fn proven(&self, policy: &str) -> Option<Version> {
        let state = self.state();
        state.proven.get(policy).copied().or_else(|| state.serving(policy))
    }

    /// A version has proved well.
    pub fn prove(&self, policy: &str, version: Version) {
        self.state().proven.insert(policy.to_owned(), version);
    }

    /// A version of a policy as it is kept, with its module.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn kept(&self, policy: &str, version: Version) -> Result<KeptPolicy, String> {
        let kept = self.state().kept(policy, version).cloned();
        let (Some(shelf), Some(kept)) = (&self.shelf, kept) else {
            return Err(format!("version {version} of {policy:?} is not kept"));
        };
        let unreadable = |error: io::Error| format!("version {version} of {policy:?} cannot be read: {error}");
        let content = shelf.blobs.get(&kept.module).map_err(unreadable)?;
        let entry = shelf.blobs.get(&kept.entry).map_err(unreadable)?;
        let written = serde_json::from_slice(&entry).map_err(|error| unreadable(error.into()))?;
        let (name, filter, path, place) = (policy.to_owned(), kept.filter.clone(), kept.path.clone(), kept.place());
        let reference = kept.reference.as_deref().map(Reference::parse).transpose()?;
        let restored = WrittenPolicy { name, written, filter, path, reference, place }.restore();
        let policy = restored.map_err(|problems| {
            let told: Vec<_> = problems.iter().map(|problem| problem.message.clone()).collect();
            format!("version {version} of {policy:?} is not understood any more: {}", told.join("; "))
        })?;
        Ok(KeptPolicy { policy, content, proof: kept.proof })
    }
}

/// Notes which versions are on trial; those that serve and are not have proved well. Says whether those have changed.
fn note_trials(state: &mut State, serving: &[Serving]) -> bool {
    let before = state.proven.clone();
    state.trials.clear();
    for Serving { policy, version, trial } in serving {
        match trial {
            Some(trial) => drop(state.trials.insert(policy.clone(), *trial)),
            None => drop(state.proven.insert(policy.clone(), *version)),
        }
    }
    state.proven.retain(|policy, _| serving.iter().any(|serving| serving.policy == *policy));
    state.proven != before
}

/// Puts all into the state that comes next.
fn write(
    shelf: &Shelf,
    next: &mut State,
    recording: &Recording,
    serving: &[Serving],
    fresh: Vec<Fresh>,
) -> io::Result<()> {
    for fresh in fresh {
        let kept = keep(shelf, &fresh)?;
        let versions = next.versions.entry(fresh.policy.name).or_default();
        match versions.iter_mut().find(|known| known.version == kept.version) {
            Some(known) => *known = Kept { since: known.since, ..kept },
            None => versions.push(kept),
        }
    }
    let now = now();
    let before = next.served.take();
    for Serving { policy, version, .. } in serving {
        let is_new = before.as_ref().and_then(|before| before.policies.get(policy)) != Some(version);
        let mut versions = next.versions.get_mut(policy).into_iter().flatten();
        let kept = versions.find(|kept| kept.version == *version);
        // One that was rolled back to keeps its place among the others, so that one can go on to the version before it.
        let is_rolled_back_to = next.rejected.get(policy).is_some_and(|rejection| rejection.serve == *version);
        if let Some(kept) = kept.filter(|kept| kept.since.is_none() || is_new && !is_rolled_back_to) {
            kept.since = Some(now);
        }
    }
    let mut texts = BTreeMap::new();
    for (path, text) in &recording.texts {
        texts.insert(path.clone(), shelf.blobs.put(text)?);
    }
    let policies = serving.iter().map(|serving| (serving.policy.clone(), serving.version)).collect();
    let served = Served { at: now, texts, others: recording.others.clone(), policies };
    let is_same = before.as_ref().is_some_and(|before| *before == Served { at: before.at, ..served.clone() });
    next.served = if is_same { before } else { Some(served) };
    Ok(())
}

fn keep(shelf: &Shelf, fresh: &Fresh) -> io::Result<Kept> {
    let entry = serde_json::to_vec(&fresh.policy.written).map_err(io::Error::other)?;
    let place = fresh.policy.place.clone();
    Ok(Kept {
        version: fresh.version,
        since: None,
        module: shelf.blobs.put_known(&fresh.content, fresh.content.digest())?,
        entry: shelf.blobs.put(&entry)?,
        filter: fresh.policy.filter.clone(),
        path: fresh.policy.path.clone(),
        reference: fresh.policy.reference.as_ref().map(ToString::to_string),
        proof: fresh.proof.clone(),
        file: place.file,
        line: place.line,
        key: place.key,
    })
}
