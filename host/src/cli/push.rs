//! `tollgate filter push`

use std::path::{Path, PathBuf};

use clap::Args;

use super::registry::{self, RegistryArgs, told};
use super::say;
use crate::inspect::Inspection;
use crate::oci::{self, Artifact, Digest, PrivateKey, Reference, Repository, Selector};

// No doc comment: clap would take it for the command's description.
#[derive(Args)]
pub(super) struct Push {
    /// A module, or a bundle: oci:PATH:TAG.
    #[arg(value_name = "FILE|BUNDLE")]
    what: String,
    /// Where it goes: HOST/REPOSITORY:TAG, or a bundle: oci:PATH:TAG.
    #[arg(value_name = "REFERENCE")]
    to: String,
    /// Sign it with this private key: a file in PEM, or env://NAME.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Push {
    pub(super) fn run(self) -> Result<(), String> {
        let to = registry::reference(&self.to)?;
        if to.digest.is_some() {
            return Err(format!("{to}: a digest is what comes of pushing; write a tag alone"));
        }
        let access = self.registry.access(&to)?;
        let key = self.key.as_deref().map(registry::private_key).transpose()?;
        let into = Repository::open_or_make(&access, &to.place).map_err(told)?;
        let from = Reference::is_meant(&self.what).then(|| registry::reference(&self.what)).transpose()?;
        let digest = match &from {
            Some(from) => registry::wait(copy(registry::open(&access, from)?, from, &into, to.tag.as_deref()))?,
            None => registry::wait(push(Path::new(&self.what), &into, to.tag.as_deref()))?,
        };
        if let Some(key) = key {
            registry::wait(sign(&into, &digest, &to, &key))?;
        }
        let place = Reference { tag: None, digest: Some(digest), ..to };
        say(&place.to_string());
        Ok(())
    }
}

async fn push(file: &Path, into: &Repository, tag: Option<&str>) -> Result<Digest, String> {
    let file = PathBuf::from(file);
    let content = std::fs::read(&file).map_err(|error| format!("{}: cannot be read: {error}", file.display()))?;
    // What no gateway could load is better not shared.
    let facts = Inspection::of(&file, None)?.facts(&content);
    let artifact = Artifact::of(&content, &facts, &registry::created()).map_err(told)?;
    into.push(&artifact, &content, tag).await.map_err(told)?;
    Ok(artifact.digest)
}

async fn copy(from: Repository, what: &Reference, into: &Repository, tag: Option<&str>) -> Result<Digest, String> {
    let fetched = from.fetch(&Selector::of(what).map_err(told)?).await.map_err(told)?;
    into.copy_from(&from, &fetched, tag).await.map_err(told)?;
    Ok(fetched.digest)
}

/// Signs an artifact, and puts the signature beside it.
pub(super) async fn sign(into: &Repository, digest: &Digest, of: &Reference, key: &PrivateKey) -> Result<(), String> {
    let signatures = into.signatures(digest).await.map_err(told)?;
    let signature = oci::sign(digest, &of.place.to_string(), key)?;
    // A signature of ECDSA is another one each time.
    if signatures.iter().any(|known| key.has_made(known) && known.payload == signature.payload) {
        return Ok(());
    }
    into.add_signatures(digest, &[signature]).await.map_err(told)
}
