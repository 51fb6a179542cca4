//! `tollgate filter pull`

use std::path::{Path, PathBuf};

use clap::Args;

use super::registry::{self, RegistryArgs, told};
use super::say;
use crate::oci::{self, Fetched, PublicKey, Reference, Repository, Selector};

#[derive(Args)]
pub(super) struct Pull {
    /// What to fetch: HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST, or a bundle: oci:PATH:TAG.
    #[arg(value_name = "REFERENCE")]
    from: String,
    /// The file to write, or a bundle: oci:PATH:TAG [default: NAME.wasm in this folder, by the last part of the repository].
    #[arg(short, long, value_name = "FILE|BUNDLE")]
    output: Option<String>,
    /// Take it only if it is signed by this public key, a file in PEM; may be given more than once.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Pull {
    pub(super) fn run(self) -> Result<(), String> {
        let from = registry::reference(&self.from)?;
        let wanted = Selector::of(&from).map_err(told)?;
        let access = self.registry.access(&from)?;
        let repository = registry::open(&access, &from)?;
        let keys = self.key.iter().map(|path| public_key(path)).collect::<Result<Vec<_>, _>>()?;
        let output = self.output.clone().unwrap_or_else(|| format!("{}.wasm", from.short_name()));
        let bundle = Reference::is_meant(&output).then(|| registry::reference(&output)).transpose()?;
        if bundle.is_none() && !self.force && Path::new(&output).exists() {
            return Err(format!("{output} is there already; write over it with --force, or name another file with -o"));
        }
        let fetched = registry::wait(async {
            let fetched = repository.fetch(&wanted).await.map_err(told)?;
            verify(&repository, &fetched, &keys).await?;
            if let Some(bundle) = &bundle {
                let into = Repository::open_or_make(&access, &bundle.place).map_err(told)?;
                into.copy_from(&repository, &fetched, bundle.tag.as_deref()).await.map_err(told)?;
            }
            Ok(fetched)
        })?;
        if bundle.is_none() {
            std::fs::write(&output, &fetched.module)
                .map_err(|error| format!("{output}: cannot be written: {error}"))?;
        }
        say(&format!("{output}: {}", Reference { tag: None, digest: Some(fetched.digest), ..from }));
        Ok(())
    }
}

async fn verify(repository: &Repository, fetched: &Fetched, keys: &[PublicKey]) -> Result<(), String> {
    if keys.is_empty() {
        return Ok(());
    }
    let signatures = repository.signatures(&fetched.digest).await.map_err(told)?;
    let verified = oci::verify(&fetched.digest, &signatures, keys);
    verified.map(drop).map_err(|refusal| format!("{} is not taken: {refusal}", fetched.digest))
}

fn public_key(path: &Path) -> Result<PublicKey, String> {
    PublicKey::from_pem(&registry::small(path)?).map_err(|problem| format!("{}: {problem}", path.display()))
}
