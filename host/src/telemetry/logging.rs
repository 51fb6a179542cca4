//! The log: structured lines on standard error, written by a thread of their own so that no worker waits for a pipe.

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Flushes the log when dropped.
#[must_use]
pub struct LogGuard {
    _guard: WorkerGuard,
}

/// Starts the log. `TOLLGATE_LOG` filters it, as in `info,tollgate=debug`; the default is `info`. When the reader of
/// standard error is too slow, lines are dropped rather than requests delayed.
pub fn start(format: LogFormat) -> LogGuard {
    let (writer, guard) = NonBlockingBuilder::default().lossy(true).finish(std::io::stderr());
    let filter =
        EnvFilter::builder().with_env_var("TOLLGATE_LOG").try_from_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    // Fails only if a log has been started in this process, as in tests; the first one stays.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    LogGuard { _guard: guard }
}
