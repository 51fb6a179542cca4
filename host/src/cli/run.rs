//! `tollgate run`

use std::future::pending;

use clap::Args;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::descriptors;
use super::source::SourceArgs;
use crate::Gateway;
use crate::config::{Overrides, Source};
use crate::handover::{self, Program, Received, Successor};
use crate::telemetry::{LogFormat, service_manager, start_logging, watch_panics};

#[derive(Args)]
pub(super) struct Run {
    #[command(flatten)]
    source: SourceArgs,
    /// Write a line to the log for each exchange.
    #[arg(long)]
    access_log: bool,
    /// Do not serve what served last where the configuration, or a policy, is no good: do not start then.
    #[arg(long)]
    no_last_known_good: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

impl Run {
    pub(super) fn run(self) -> Result<(), String> {
        let received = handover::receive()?;
        let program = Program::current().map_err(|error| format!("cannot find this program: {error}"))?;
        let _log = start_logging(self.log_format);
        watch_panics();
        descriptors::raise_limit();
        let (source, mut overrides) = self.source.into_source(self.access_log);
        // A predecessor serves already what served last.
        overrides.no_last_known_good = self.no_last_known_good || received.predecessor.is_some();
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        runtime.block_on(async {
            // From here on signals wait for us instead of ending the process.
            let mut signals = Signals::catch()?;
            let gateway = start(source, overrides, received)?;
            match serve(&gateway, &program, &mut signals).await {
                End::Stop => {
                    tracing::info!("draining");
                    service_manager::stopping();
                    drain(move || gateway.shutdown(), &mut signals).await
                }
                End::Replaced(process) => {
                    tracing::info!(process, "handed over; draining");
                    service_manager::replaced_by(process);
                    drain(move || gateway.hand_over(), &mut signals).await
                }
            }
        })
    }
}

/// What signals ask for.
enum Asked {
    Stop,
    Reload,
    Replace,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    replace: Signal,
}

impl Signals {
    fn catch() -> Result<Self, String> {
        let catch = |kind| signal(kind).map_err(|error| format!("cannot catch signals: {error}"));
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hang_up: catch(SignalKind::hangup())?,
            replace: catch(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
            _ = self.replace.recv() => Asked::Replace,
        }
    }
}

/// Starts to serve and says so, to whoever wants to know.
fn start(source: Source, overrides: Overrides, received: Received) -> Result<Gateway, String> {
    let Received { sockets, predecessor } = received;
    let gateway = match Gateway::start_on(source, overrides, sockets) {
        Ok(gateway) => gateway,
        Err(error) => {
            let reason = error.to_string();
            predecessor.into_iter().for_each(|predecessor| predecessor.failed(&reason));
            return Err(reason);
        }
    };
    for (listener, address) in gateway.addresses() {
        tracing::info!(listener = &*listener, %address, "listening");
    }
    let bounds = gateway.snapshot().bounds;
    descriptors::tell(bounds.connections, bounds.requests);
    match predecessor {
        // It tells the service manager, who listens to it alone until then.
        Some(predecessor) => predecessor.ready(),
        None => service_manager::ready(),
    }
    Ok(gateway)
}

/// Why it serves no longer.
enum End {
    /// It was told to stop.
    Stop,
    /// That process serves in its place.
    Replaced(u32),
}

async fn serve(gateway: &Gateway, program: &Program, signals: &mut Signals) -> End {
    let mut successor: Option<Successor> = None;
    loop {
        let ready = async {
            match &mut successor {
                Some(successor) => successor.ready().await.map(|()| successor.id()),
                None => pending().await,
            }
        };
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop => return End::Stop,
                Asked::Reload => gateway.reload(),
                Asked::Replace => {
                    // One that is on its way already gives way.
                    drop(successor.take());
                    successor = start_successor(gateway, program);
                }
            },
            ready = ready => match ready {
                Ok(process) => return End::Replaced(process),
                Err(reason) => {
                    successor = None;
                    keep(&reason);
                }
            }
        }
    }
}

fn start_successor(gateway: &Gateway, program: &Program) -> Option<Successor> {
    service_manager::reloading();
    let started = gateway.sockets().and_then(|sockets| Successor::start(program, &sockets));
    match started {
        Ok(successor) => {
            tracing::info!(process = successor.id(), program = %program.path().display(), "the successor starts");
            Some(successor)
        }
        Err(error) => {
            keep(&format!("{}: {error}", program.path().display()));
            None
        }
    }
}

fn keep(reason: &str) {
    tracing::error!(reason, "the successor does not serve; this process goes on");
    service_manager::ready();
}

/// Waits for the end of what is under way. A second signal ends it at once.
async fn drain(end: impl FnOnce() + Send + 'static, signals: &mut Signals) -> Result<(), String> {
    let (done, ended) = tokio::sync::oneshot::channel::<()>();
    let wait = move || {
        end();
        drop(done);
    };
    std::thread::Builder::new().name("drain".into()).spawn(wait).map_err(|error| format!("cannot drain: {error}"))?;
    tokio::pin!(ended);
    loop {
        tokio::select! {
            _ = &mut ended => break,
            asked = signals.next() => if let Asked::Stop = asked {
                return Err("ended at once: a second signal came".to_owned());
            }
        }
    }
    tracing::info!("stopped");
    Ok(())
}
