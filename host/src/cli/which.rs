//! Which gateway of this machine a command is about.

use std::path::PathBuf;

use clap::Args;

use crate::config::{self, Source};
use crate::deploy::Home;
use crate::gateway::default_state_dir;

#[derive(Args)]
pub(super) struct Which {
    /// The configuration file that the gateway serves from; needed only if there are several.
    #[arg(long, value_name = "FILE", conflicts_with = "gateway")]
    config: Option<PathBuf>,
    /// The folder of the gateway below the state directory, for one that serves without a configuration file.
    #[arg(long, value_name = "NAME")]
    gateway: Option<String>,
    /// Where gateways keep their state [default: as of `run`].
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Which {
    /// Whether one is named.
    pub(super) fn is_named(&self) -> bool {
        self.config.is_some() || self.gateway.is_some()
    }

    /// Where that gateway keeps what is its own.
    pub(super) fn home(&self) -> Result<Home, String> {
        let configured = || self.config.as_deref().and_then(config::state_dir_of);
        let state_dir = self.state_dir.clone().or_else(configured).or_else(default_state_dir);
        let state_dir = state_dir.ok_or("there is no state directory; name it with --state-dir")?;
        let known = Home::all(&state_dir);
        let wanted = self.config.clone().map(|file| Home::of(&state_dir, &Source::File(file)));
        let is_wanted = |home: &Home| match (&wanted, &self.gateway) {
            (Some(wanted), _) => home == wanted,
            (None, Some(name)) => home.name() == *name,
            (None, None) => true,
        };
        let mut found: Vec<_> = known.into_iter().filter(|(home, _)| is_wanted(home)).collect();
        match (found.pop(), found.is_empty()) {
            (Some((home, _)), true) => Ok(home),
            (None, _) => {
                Err(format!("no such gateway has kept anything in {}; name another --state-dir", state_dir.display()))
            }
            (Some(last), _) => {
                let listed = found.iter().chain([&last]);
                let listed: Vec<_> =
                    listed.map(|(home, serves)| format!("  --gateway {}  ({serves})", home.name())).collect();
                Err(format!("there are several gateways; name one:\n{}", listed.join("\n")))
            }
        }
    }
}
