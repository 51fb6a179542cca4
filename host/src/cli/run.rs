//! `tollgate run`

use clap::Args;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::source::SourceArgs;
use crate::Gateway;
use crate::telemetry::{LogFormat, start_logging};

#[derive(Args)]
pub(super) struct Run {
    #[command(flatten)]
    source: SourceArgs,
    /// Write a line to the log for each exchange.
    #[arg(long)]
    access_log: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

impl Run {
    pub(super) fn run(self) -> Result<(), String> {
        let _log = start_logging(self.log_format);
        let (source, overrides) = self.source.into_source(self.access_log);
        // From here on signals wait for us instead of ending the process.
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        runtime.block_on(serve(source, overrides))
    }
}

async fn serve(source: crate::config::Source, overrides: crate::config::Overrides) -> Result<(), String> {
    let catch = |kind| signal(kind).map_err(|error| format!("cannot catch signals: {error}"));
    let (mut terminate, mut interrupt) = (catch(SignalKind::terminate())?, catch(SignalKind::interrupt())?);
    let mut hang_up = catch(SignalKind::hangup())?;
    let gateway = Gateway::start(source, overrides).map_err(|error| error.to_string())?;
    for (listener, address) in gateway.addresses() {
        tracing::info!(listener = &*listener, %address, "listening");
    }
    if let Some(address) = gateway.admin_address() {
        tracing::info!(%address, "admin pages");
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => gateway.reload(),
        }
    }
    tracing::info!("draining");
    gateway.shutdown();
    tracing::info!("stopped");
    Ok(())
}
