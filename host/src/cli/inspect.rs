//! `tollgate filter inspect`

use std::path::PathBuf;

use clap::Args;

use super::say;
use crate::inspect::Inspection;

// No doc comment: clap would take it for the command's description.
#[derive(Args)]
pub(super) struct Inspect {
    /// A module, or the name of a bundled filter.
    #[arg(value_name = "FILE|NAME")]
    module: PathBuf,
    /// As JSON, with the whole schema and the documentation.
    #[arg(long)]
    json: bool,
    /// Say what this policy of --config lacks to run it, and fail if it is anything.
    #[arg(long, value_name = "NAME", requires = "config")]
    policy: Option<String>,
    /// The configuration file that has the policy.
    #[arg(long, value_name = "FILE", requires = "policy")]
    config: Option<PathBuf>,
}

impl Inspect {
    pub(super) fn run(self) -> Result<(), String> {
        let entry = self.config.as_deref().zip(self.policy.as_deref());
        let inspection = Inspection::of(&self.module, entry)?;
        say(&if self.json { inspection.json().to_string() } else { inspection.text() });
        match self.policy.filter(|_| !inspection.fits()) {
            Some(policy) => Err(format!("the policy {policy:?} would not be ready with it")),
            None => Ok(()),
        }
    }
}
