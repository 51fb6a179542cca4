//! What a module has to show for itself, kept with it so that it can be held to other rules later.

use serde::{Deserialize, Serialize};

use crate::config::Policy;
use crate::oci::{Digest, Signature};
use crate::sandbox::Content;

/// Who has signed a module, whether that is somebody trusted or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proof {
    /// The digest of the artifact that it was fetched as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Digest>,
    /// The signatures of that artifact that were known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
    /// The signature beside its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
}

/// A version of a policy that can be had again.
#[derive(Clone, Debug)]
pub struct KeptPolicy {
    /// Its entry.
    pub policy: Policy,
    /// Its module.
    pub content: Content,
    /// What that has to show.
    pub proof: Proof,
}
