//! `tollgate filter inspect`

use std::path::PathBuf;

use clap::Args;

use super::registry::{self, RegistryArgs, told};
use super::say;
use crate::inspect::Inspection;
use crate::oci::{Manifest, Reference, Selector};

// No doc comment: clap would take it for the command's description.
#[derive(Args)]
pub(super) struct Inspect {
    /// A module, the name of a bundled filter, or what is elsewhere: oci://HOST/REPOSITORY:TAG or oci:PATH:TAG.
    #[arg(value_name = "FILE|NAME|REFERENCE")]
    module: PathBuf,
    /// As JSON, with the whole schema and the documentation.
    #[arg(long)]
    json: bool,
    /// Say what this policy of --config lacks to run it, and fail if it is anything.
    #[arg(long, value_name = "NAME", requires = "config")]
    policy: Option<String>,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Inspect {
    pub(super) fn run(self) -> Result<(), String> {
        let entry = self.registry.config().zip(self.policy.as_deref());
        let written = self.module.to_str().filter(|text| Reference::is_meant(text));
        let inspection = match written {
            Some(written) => self.fetched(written)?,
            None => Inspection::of(&self.module, entry)?,
        };
        say(&if self.json { inspection.json().to_string() } else { inspection.text() });
        match self.policy.filter(|_| !inspection.fits()) {
            Some(policy) => Err(format!("the policy {policy:?} would not be ready with it")),
            None => Ok(()),
        }
    }

    /// Looks at what is elsewhere, and says how it is known there.
    fn fetched(&self, written: &str) -> Result<Inspection, String> {
        let reference = registry::reference(written)?;
        let wanted = Selector::of(&reference).map_err(told)?;
        let repository = registry::open(&self.registry.access(&reference)?, &reference)?;
        let (fetched, signatures) = registry::wait(async {
            let fetched = repository.fetch(&wanted).await.map_err(told)?;
            let signatures = repository.signatures(&fetched.digest).await.map_err(told)?;
            Ok((fetched, signatures))
        })?;
        if !self.json {
            say(&format!("artifact {}", Reference { digest: Some(fetched.digest), ..reference.clone() }));
            let annotations = Manifest::read(&fetched.manifest).map_err(told)?.annotations;
            for (key, value) in
                annotations.iter().filter(|(key, value)| !(*key).chars().chain(value.chars()).any(char::is_control))
            {
                say(&format!("         {key} = {value}"));
            }
            say(&format!("         {} signatures, none of them verified", signatures.len()));
        }
        let entry = self.registry.config().zip(self.policy.as_deref());
        Inspection::of_fetched(reference.short_name().as_ref(), &fetched.module, entry)
    }
}
