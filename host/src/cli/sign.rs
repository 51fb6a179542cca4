//! `tollgate filter sign`

use std::path::Path;

use clap::Args;

use super::push;
use super::registry::{self, RegistryArgs, told};
use super::say;
use crate::oci::{self, Reference, Selector};

#[derive(Args)]
pub(super) struct Sign {
    /// A module, whose signature is written beside it (FILE.sig), or an artifact, beside which it is pushed: HOST/REPOSITORY:TAG or
    /// HOST/REPOSITORY@DIGEST with oci:// before it, or a bundle: oci:PATH:TAG.
    #[arg(value_name = "FILE|REFERENCE")]
    what: String,
    /// The private key: a file in PEM, or env://NAME.
    #[arg(long, value_name = "KEY")]
    key: String,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Sign {
    pub(super) fn run(self) -> Result<(), String> {
        let key = registry::private_key(&self.key)?;
        if !Reference::is_meant(&self.what) {
            let path = Path::new(&self.what);
            let content = std::fs::read(path).map_err(|error| {
                format!("{}: cannot be read: {error}; write oci:// before what is in a registry", self.what)
            })?;
            let signature = format!("{}.sig", self.what);
            std::fs::write(&signature, oci::sign_file(&content, &key)? + "\n")
                .map_err(|error| format!("{signature}: cannot be written: {error}"))?;
            say(&signature);
            return Ok(());
        }
        let of = registry::reference(&self.what)?;
        let wanted = Selector::of(&of).map_err(told)?;
        let access = self.registry.access(&of)?;
        let repository = registry::open(&access, &of)?;
        let digest = registry::wait(async {
            // What is signed is what is there, not what a registry says about it.
            let digest = repository.fetch(&wanted).await.map_err(told)?.digest;
            push::sign(&repository, &digest, &of, &key).await?;
            Ok(digest)
        })?;
        say(&Reference { tag: None, digest: Some(digest), ..of }.to_string());
        Ok(())
    }
}
