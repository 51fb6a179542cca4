//! The flags that say where the configuration comes from, shared by `run` and `check`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use crate::config::{Flags, Overrides, Source};

#[derive(Args)]
pub(super) struct SourceArgs {
    /// The configuration file; without it, --listen and --upstream say what is served.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["listen", "upstream", "policies"])]
    config: Option<PathBuf>,
    /// An address to listen on; may be given more than once.
    #[arg(long, value_name = "ADDRESS", required_unless_present = "config")]
    listen: Vec<SocketAddr>,
    /// Where all requests go, as http://HOST:PORT.
    #[arg(long, value_name = "URL", required_unless_present = "config")]
    upstream: Option<String>,
    /// The watched directory of policies, all of which apply to all traffic in the order of their file names.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// The address of the admin pages; without it, there are none unless the configuration file names one.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// How many worker threads [default: one for each core].
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// Where compiled modules are kept [default: $STATE_DIRECTORY, $XDG_STATE_HOME/tollgate or ~/.local/state/tollgate].
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl SourceArgs {
    pub(super) fn into_source(self, access_log: bool) -> (Source, Overrides) {
        let overrides = Overrides {
            admin: self.admin,
            workers: self.workers,
            access_log,
            state_dir: self.state_dir,
            ..Overrides::default()
        };
        let source = match self.config {
            Some(file) => Source::File(file),
            None => Source::Flags(Flags {
                listen: self.listen,
                upstream: self.upstream.unwrap_or_default(),
                policies: self.policies,
            }),
        };
        (source, overrides)
    }
}
