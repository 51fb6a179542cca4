//! `tollgate filter list`

use clap::Args;

use super::registry::{self, RegistryArgs, told};
use super::say;

#[derive(Args)]
pub(super) struct List {
    /// HOST/REPOSITORY, or a bundle: oci:PATH.
    #[arg(value_name = "REPOSITORY")]
    repository: String,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl List {
    pub(super) fn run(self) -> Result<(), String> {
        let place = registry::reference(&self.repository)?;
        let access = self.registry.access(&place)?;
        let repository = registry::open(&access, &place)?;
        let mut tags = registry::wait(async { repository.tags().await.map_err(told) })?;
        // Signatures have tags too, which are for no person.
        tags.retain(|tag| !is_signature(tag) && !tag.chars().any(char::is_control));
        tags.sort();
        tags.iter().for_each(|tag| say(tag));
        Ok(())
    }
}

fn is_signature(tag: &str) -> bool {
    tag.starts_with("sha256-") && tag.ends_with(".sig")
}
