//! What is kept of a gateway, in one file that is replaced as a whole: what serves, which versions there have been, and what
//! people have said about policies.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk;
use super::{Proof, Version};
use crate::config::Place;
use crate::sandbox::Digest;

const FILE: &str = "state.json";

/// How many versions of a policy are kept besides those that are in use.
pub(super) const VERSIONS: usize = 10;

/// How many policies are remembered that are no longer there.
const GONE: usize = 100;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct State {
    /// What served last.
    pub(super) served: Option<Served>,
    /// By policy, the versions that there have been, the oldest first.
    pub(super) versions: BTreeMap<String, Vec<Kept>>,
    /// By policy, the version that serves whatever files say.
    pub(super) pins: BTreeMap<String, Version>,
    /// By policy, the version that serves until changes are taken again.
    pub(super) paused: BTreeMap<String, Version>,
    /// Whether no change at all is taken.
    pub(super) all_paused: bool,
    /// By policy, the version that is not tried again.
    pub(super) rejected: BTreeMap<String, Rejection>,
    /// By policy, the version that serves again if the one on trial does not prove well, or that has.
    pub(super) proven: BTreeMap<String, Version>,
    /// By policy, the version that is on trial. Whoever starts finds out by itself.
    #[serde(skip)]
    pub(super) trials: BTreeMap<String, Version>,
}

/// What served last: enough to serve it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Served {
    /// Since when, in milliseconds since 1970.
    pub(super) at: u64,
    /// Files of the configuration, each with the digest of its text.
    pub(super) texts: BTreeMap<PathBuf, String>,
    /// Modules and directories that there were.
    pub(super) others: BTreeSet<PathBuf>,
    /// Which version of each policy.
    pub(super) policies: BTreeMap<String, Version>,
}

/// A version that can be had again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) version: Version,
    /// When it began to serve, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<u64>,
    /// The digest of the module, by which it is kept.
    pub(super) module: String,
    /// The digest of the entry as JSON, likewise.
    pub(super) entry: String,
    /// The name of the filter.
    pub(super) filter: String,
    /// Where the module was, if it was in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<PathBuf>,
    /// Where it was fetched from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    /// Who has signed the module.
    #[serde(default)]
    pub(super) proof: Proof,
    /// Where the entry was written.
    pub(super) file: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
}

/// A version that was rolled back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rejection {
    /// It is not tried again until the policy is another one.
    pub(super) version: Version,
    /// What serves in its place.
    pub(super) serve: Version,
    /// Why.
    pub(super) reason: String,
}

impl Kept {
    pub(super) fn place(&self) -> Place {
        Place { file: self.file.clone(), line: self.line, key: self.key.clone() }
    }
}

impl State {
    /// What is kept in a folder; nothing where there is nothing yet.
    ///
    /// # Errors
    /// If what is there is damaged.
    pub(super) fn read(home: &Path) -> io::Result<Self> {
        let content = match std::fs::read(home.join(FILE)) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("{FILE} is damaged"));
        let end = content.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
        let (sum, json) = (&content[..end], &content[end + 1..]);
        if Digest::of(json).to_string().as_bytes() != sum {
            return Err(damaged());
        }
        serde_json::from_slice(json).map_err(io::Error::other)
    }

    /// Replaces what is kept there.
    pub(super) fn write(&self, home: &Path) -> io::Result<()> {
        let json = serde_json::to_vec(self).map_err(io::Error::other)?;
        let mut content = Digest::of(&json).to_string().into_bytes();
        content.push(b'\n');
        content.extend_from_slice(&json);
        disk::replace(&home.join(FILE), &content)
    }

    pub(super) fn kept(&self, policy: &str, version: Version) -> Option<&Kept> {
        self.versions.get(policy)?.iter().find(|kept| kept.version == version)
    }

    /// The version of a policy that serves.
    pub(super) fn serving(&self, policy: &str) -> Option<Version> {
        self.served.as_ref()?.policies.get(policy).copied()
    }

    /// The version that served before the one that serves, and is not one that was rolled back.
    pub(super) fn before(&self, policy: &str) -> Option<Version> {
        let serving = self.kept(policy, self.serving(policy)?)?;
        let rejected = self.rejected.get(policy).map(|rejection| rejection.version);
        let older = self.versions.get(policy)?.iter().filter(|kept| kept.since.is_some() && kept.since < serving.since);
        let older = older.filter(|kept| Some(kept.version) != rejected);
        older.max_by_key(|kept| kept.since).map(|kept| kept.version)
    }

    /// The versions that serve, or that somebody wants.
    fn in_use(&self, policy: &str) -> Vec<Version> {
        let rejection = self.rejected.get(policy);
        let of = |versions: &BTreeMap<String, Version>| versions.get(policy).copied();
        // What has proved well matters as long as the policy serves at all.
        let serving = self.serving(policy);
        let tried = serving.and_then(|_| of(&self.proven)).into_iter().chain(serving.and_then(|_| of(&self.trials)));
        let named = [serving, of(&self.pins), of(&self.paused)];
        named.into_iter().flatten().chain(tried).chain(rejection.map(|rejection| rejection.serve)).collect()
    }

    /// Forgets versions beyond those that are kept, the oldest first. Gives all digests that are still needed.
    pub(super) fn collect(&mut self, bytes: u64, size: impl Fn(&str) -> u64) -> BTreeSet<String> {
        for policy in self.versions.keys().cloned().collect::<Vec<_>>() {
            // Of one that is gone, its last: it may come back.
            let most = if self.in_use(&policy).is_empty() { 1 } else { VERSIONS };
            self.thin(&policy, most);
        }
        self.forget_gone();
        let mut needed = self.needed();
        while needed.iter().map(|name| size(name)).sum::<u64>() > bytes {
            let Some(policy) = self.oldest_unused() else { break };
            let unused = self.unused(&policy).count();
            self.thin(&policy, unused - 1);
            needed = self.needed();
        }
        needed
    }

    /// Leaves so many versions of a policy besides those in use.
    fn thin(&mut self, policy: &str, most: usize) {
        let in_use = self.in_use(policy);
        let mut surplus = self.unused(policy).count().saturating_sub(most);
        let Some(kept) = self.versions.get_mut(policy) else { return };
        kept.retain(|kept| {
            let goes = surplus > 0 && !in_use.contains(&kept.version);
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// The policy that has the oldest version which nobody needs.
    fn oldest_unused(&self) -> Option<String> {
        let policies = self.versions.keys();
        let oldest = policies.filter_map(|policy| Some((self.unused(policy).map(|kept| kept.since).min()?, policy)));
        oldest.min().map(|(_, policy)| policy.clone())
    }

    fn unused(&self, policy: &str) -> impl Iterator<Item = &Kept> {
        let in_use = self.in_use(policy);
        let kept = self.versions.get(policy).into_iter().flatten();
        kept.filter(move |kept| !in_use.contains(&kept.version))
    }

    /// Of policies that are gone, only so many are remembered.
    fn forget_gone(&mut self) {
        let newest = |kept: &[Kept]| kept.iter().map(|kept| kept.since).max();
        let gone = self.versions.iter().filter(|(policy, _)| self.in_use(policy).is_empty());
        let mut gone: Vec<_> = gone.map(|(policy, kept)| (newest(kept), policy.clone())).collect();
        gone.sort();
        let surplus = gone.len().saturating_sub(GONE);
        for (_, policy) in &gone[..surplus] {
            self.versions.remove(policy);
        }
    }

    pub(super) fn needed(&self) -> BTreeSet<String> {
        let kept = self.versions.values().flatten().flat_map(|kept| [kept.module.clone(), kept.entry.clone()]);
        kept.chain(self.served.iter().flat_map(|served| served.texts.values().cloned())).collect()
    }
}
