//! Manifests and indexes, as the image specification has them, as far as filters need them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest, Error, MAX_LAYERS, MAX_MODULE};

/// The type of manifests.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The type of indexes, as a bundle has one.
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The type of modules.
pub(super) const WASM: &str = "application/wasm";
/// The type of the configuration in the CNCF layout for WebAssembly.
pub(super) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// In an index: the tag of a manifest.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Content elsewhere: what it is and its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its type.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What else is said about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub(super) fn of(media_type: &str, content: &[u8]) -> Self {
        let (media_type, digest) = (media_type.to_owned(), Digest::of(content));
        Self { media_type, digest, size: content.len() as u64, annotations: BTreeMap::new() }
    }

    /// Whether the content is the one that it describes.
    pub(super) fn check(&self, content: &[u8]) -> Result<(), Error> {
        let found = Digest::of(content);
        match found == self.digest && content.len() as u64 == self.size {
            true => Ok(()),
            false => Err(Error::wrong(self.digest.to_string(), format!("is something else: {found}"))),
        }
    }
}

/// What an artifact consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    media_type: String,
    /// Its configuration.
    pub config: Descriptor,
    /// Its content.
    pub layers: Vec<Descriptor>,
    /// What is said about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    pub(super) fn new(config: Descriptor, layers: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Self {
        Self { schema_version: 2, media_type: MANIFEST.to_owned(), config, layers, annotations }
    }

    /// Reads one.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(content: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Kind {
            manifests: Option<serde::de::IgnoredAny>,
        }
        if serde_json::from_slice::<Kind>(content).is_ok_and(|kind| kind.manifests.is_some()) {
            return Err(Error::wrong("the artifact", "is an index of several; name the digest of one of them"));
        }
        let manifest: Self = serde_json::from_slice(content)
            .map_err(|error| Error::wrong("the manifest", format!("cannot be read: {error}")))?;
        match manifest.schema_version == 2 && manifest.layers.len() <= MAX_LAYERS {
            true => Ok(manifest),
            false => {
                Err(Error::wrong("the manifest", format!("is of another form, or has more than {MAX_LAYERS} layers")))
            }
        }
    }

    /// The module.
    ///
    /// # Errors
    /// If there is not just one, or if it is too large.
    pub fn module(&self) -> Result<&Descriptor, Error> {
        let mut modules = self.layers.iter().filter(|layer| layer.media_type == WASM);
        let (Some(module), None) = (modules.next(), modules.next()) else {
            let problem = format!("has not just one layer of the type {WASM}: it is no filter");
            return Err(Error::wrong("the artifact", problem));
        };
        match module.size <= MAX_MODULE {
            true => Ok(module),
            false => Err(Error::wrong("the module", format!("has {} bytes, more than {MAX_MODULE}", module.size))),
        }
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| Error::wrong("the manifest", error.to_string()))
    }
}

/// What a bundle has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    pub(super) manifests: Vec<Descriptor>,
}

impl Default for Index {
    fn default() -> Self {
        Self { schema_version: 2, media_type: INDEX.to_owned(), manifests: Vec::new() }
    }
}
