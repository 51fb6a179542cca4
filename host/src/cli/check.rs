//! `tollgate check`

use clap::Args;

use super::say;
use super::source::SourceArgs;
use crate::Gateway;

#[derive(Args)]
pub(super) struct Check {
    #[command(flatten)]
    source: SourceArgs,
    /// Fetch the modules that are in registries, too, and look at them; without this, nothing goes to the network.
    #[arg(long)]
    pull: bool,
}

impl Check {
    pub(super) fn run(self) -> Result<(), String> {
        let (source, overrides) = self.source.into_source(false);
        let (config, policies) =
            Gateway::check_and(&source, &overrides, self.pull).map_err(|error| error.to_string())?;
        let counts = (config.listeners.len(), config.routes.len(), config.policies.len(), config.upstreams.len());
        say(&format!("ok: {} listeners, {} routes, {} policies, {} upstreams", counts.0, counts.1, counts.2, counts.3));
        for policy in policies {
            if let Some(pulled) = policy.pulled.as_ref().filter(|pulled| pulled.artifact.is_none()) {
                say(&format!("policy {}: {} was not fetched; --pull does", policy.name, pulled.reference));
                continue;
            }
            let title = policy.title.map(|title| format!("{} {}", title.name, title.version));
            say(&format!(
                "policy {}: {}",
                policy.name,
                title.as_deref().unwrap_or("a module that does not say what it is")
            ));
        }
        Ok(())
    }
}
