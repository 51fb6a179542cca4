//! What was fetched from registries, kept so that no registry is needed to serve it again: what each reference meant last, and
//! content by its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::blobs::Blobs;
use super::disk;
use crate::oci::{Digest, Manifest, Signature};
use crate::sandbox::Content;

const FOLDER: &str = "registry";
const FILE: &str = "references.json";

/// What a reference meant when it was looked at last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The digest of the artifact.
    pub artifact: Digest,
    /// Its manifest as it is written.
    pub manifest: String,
    /// Its signatures, if they were looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<Vec<Signature>>,
    /// When it was fetched, in seconds since 1970.
    pub at: u64,
}

impl Known {
    /// The digest of the module, if the manifest is the one that the artifact's digest names.
    fn module(&self) -> Option<Digest> {
        let manifest = Manifest::read(self.manifest.as_bytes()).ok()?;
        let is_whole = Digest::of(self.manifest.as_bytes()) == self.artifact;
        is_whole.then(|| manifest.module().ok().map(|module| module.digest)).flatten()
    }
}

/// Where it is kept: on disk, or in memory if nothing is.
#[derive(Debug, Default)]
pub struct FetchedStore {
    disk: Option<(Blobs, PathBuf)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    references: BTreeMap<String, Known>,
    /// Without a disk, by the digits of its digest.
    content: BTreeMap<String, Content>,
}

impl FetchedStore {
    /// That of the gateway with that folder.
    #[must_use]
    pub fn open(home: Option<&Path>) -> Self {
        let Some(home) = home else { return Self::default() };
        let folder = home.join(FOLDER);
        let blobs = match Blobs::open(&folder) {
            Ok(blobs) => blobs,
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "what is fetched from registries is not kept");
                return Self::default();
            }
        };
        let file = folder.join(FILE);
        let read = std::fs::read(&file).ok().map(|text| serde_json::from_slice(&text));
        let references = read.transpose().unwrap_or_else(|error| {
            tracing::error!(file = %file.display(), %error, "what was fetched before cannot be read; it is fetched again");
            None
        });
        let state = State { references: references.unwrap_or_default(), content: BTreeMap::new() };
        Self { disk: Some((blobs, file)), state: Mutex::new(state) }
    }

    /// What a reference meant last, if that can be had.
    #[must_use]
    pub fn known(&self, reference: &str) -> Option<Known> {
        self.state().references.get(reference).cloned()
    }

    /// The module of what is known, if it is here and what it was.
    #[must_use]
    pub fn module(&self, known: &Known) -> Option<Content> {
        let digits = known.module()?.digits();
        match &self.disk {
            Some((blobs, _)) => blobs.get(&digits).ok(),
            None => self.state().content.get(&digits).cloned(),
        }
    }

    /// Keeps what a reference means from now on, with its module unless that is here.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put(&self, reference: &str, known: Known, module: Option<&[u8]>) -> io::Result<()> {
        let mut state = self.state();
        match (&self.disk, module) {
            (Some((blobs, _)), Some(module)) => drop(blobs.put(module)?),
            (None, Some(module)) => drop(state.content.insert(Digest::of(module).digits(), module.to_vec().into())),
            _ => {}
        }
        state.references.insert(reference.to_owned(), known);
        self.save(&state)
    }

    /// Forgets all but these references. Content that nobody refers to goes with them, after a while.
    pub fn keep(&self, references: &BTreeSet<String>) {
        let mut state = self.state();
        let before = state.references.len();
        state.references.retain(|reference, _| references.contains(reference));
        let needed = state.references.values().filter_map(Known::module).map(|digest| digest.digits()).collect();
        match &self.disk {
            Some((blobs, _)) => blobs.keep(&needed),
            None => state.content.retain(|name, _| needed.contains(name)),
        }
        if state.references.len() != before
            && let Err(error) = self.save(&state)
        {
            tracing::warn!(%error, "what is fetched from registries cannot be written down");
        }
    }

    fn save(&self, state: &State) -> io::Result<()> {
        let Some((_, file)) = &self.disk else { return Ok(()) };
        disk::replace(file, &serde_json::to_vec(&state.references).map_err(io::Error::other)?)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Scratch;
    use super::*;
    use crate::oci::{Artifact, Facts};

    fn known(module: &[u8]) -> Known {
        let artifact = Artifact::of(module, &Facts::default(), "1970-01-01T00:00:00Z").unwrap();
        let manifest = String::from_utf8(artifact.manifest).unwrap();
        Known { artifact: artifact.digest, manifest, signatures: None, at: 1 }
    }

    #[test]
    fn what_was_fetched_is_there_after_a_restart_and_damage_is_found() {
        let scratch = Scratch::new("fetched");
        let store = FetchedStore::open(Some(scratch.path()));
        store.put("oci://a.b/c:1", known(b"one"), Some(b"one")).unwrap();
        let store = FetchedStore::open(Some(scratch.path()));
        let found = store.known("oci://a.b/c:1").unwrap();
        assert_eq!(*store.module(&found).unwrap(), *b"one");
        let lies = Known { manifest: known(b"two").manifest, ..found.clone() };
        assert!(store.module(&lies).is_none(), "another manifest than the digest says");
        let file = scratch.path().join("registry/content").join(Digest::of(b"one").digits());
        std::fs::write(file, b"eno").unwrap();
        assert!(store.module(&found).is_none(), "another module");
        store.keep(&BTreeSet::new());
        assert_eq!(store.known("oci://a.b/c:1"), None);
    }
}
