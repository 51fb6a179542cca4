//! The one assembler: from a configuration to running workers, with reload and admin beside them.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::runtime::{Builder as RuntimeBuilder, LocalOptions};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use crate::bundled;
use crate::config::{self, Config, Overrides, Problem, Source};
use crate::reload::{Outcome, Reload, Reloader};
use crate::sandbox::{ModuleCache, Sandbox};
use crate::snapshot::{self, Builder, Explanation, Snapshot, SnapshotStore};
use crate::telemetry::Metrics;
use crate::upstream::Caretaker;
use crate::worker;

/// How often rate limit cells that are idle are forgotten.
const LIMITER_SWEEP: Duration = Duration::from_secs(10);

/// A running gateway. Dropped, it stops at once; `shutdown` lets exchanges end.
pub struct Gateway {
    store: Arc<SnapshotStore>,
    metrics: Arc<Metrics>,
    admin: Option<SocketAddr>,
    reload: Option<Reload>,
    drain: CancellationToken,
    stop: CancellationToken,
    workers: Vec<JoinHandle<()>>,
    control: Option<JoinHandle<()>>,
}

/// Why a gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration, a module or an address is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
    /// The system has no room for it.
    #[error("cannot start: {0}")]
    System(String),
}

impl Gateway {
    /// Reads the configuration, prepares everything that it names and starts to serve.
    ///
    /// # Errors
    /// If anything at all is wrong; all problems are reported at once.
    pub fn start(source: Source, overrides: Overrides) -> Result<Self, StartError> {
        let read_at = SystemTime::now();
        let config = config::load(&source, &overrides, &bundled::names()).map_err(StartError::Problems)?;
        let count = worker_count(&config);
        let metrics = Arc::new(Metrics::default());
        let mut builder = builder(&config, Arc::clone(&metrics), count)?;
        let admin_socket = config.admin.map(|address| bind_admin(&config, &overrides, address)).transpose()?;
        let admin = admin_socket.as_ref().map(std::net::TcpListener::local_addr).transpose().map_err(system)?;
        let built = builder.build(&config, None).map_err(StartError::Problems)?;
        built.find_names();
        metrics.gateway.set_generation(built.snapshot.generation);
        let store = SnapshotStore::new(built.snapshot);

        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let outcome = Arc::new(Outcome::default());
        let workers = (0..count).map(|index| worker::start(index, Arc::clone(&store), drain.clone()));
        let workers = workers.collect::<io::Result<Vec<_>>>().map_err(system)?;
        let pages = Admin {
            store: Arc::clone(&store),
            metrics: Arc::clone(&metrics),
            outcome: Arc::clone(&outcome),
            drain: drain.clone(),
        };
        let control = start_control(pages, admin_socket, Arc::clone(&store), stop.clone()).map_err(system)?;
        let reloader =
            Reloader { source, overrides, builder, store: Arc::clone(&store), metrics: Arc::clone(&metrics), outcome };
        let reload = Reload::start(reloader, &config, read_at).map_err(system)?;
        Ok(Self { store, metrics, admin, reload: Some(reload), drain, stop, workers, control: Some(control) })
    }

    /// Does everything that `start` does except to bind addresses and to serve.
    ///
    /// # Errors
    /// As `start`.
    pub fn check(source: &Source, overrides: &Overrides) -> Result<Config, StartError> {
        let config = config::load(source, overrides, &bundled::names()).map_err(StartError::Problems)?;
        let mut builder = builder(&config, Arc::default(), 1)?;
        builder.check(&config).map_err(StartError::Problems)?;
        Ok(config)
    }

    /// Which route a request takes that comes in on a listener, the first if none is named; nothing but the configuration is
    /// read for it.
    ///
    /// # Errors
    /// If the configuration is wrong or has no such listener; all problems, one a line.
    pub fn explain(
        source: &Source,
        overrides: &Overrides,
        listener: Option<&str>,
        head: &http::request::Parts,
    ) -> Result<Explanation, String> {
        let config = config::load(source, overrides, &bundled::names()).map_err(StartError::Problems);
        let config = config.map_err(|error| error.to_string())?;
        let mut names = config.listeners.iter().map(|listener| listener.name.as_str());
        let found = names.find(|name| listener.is_none_or(|wanted| *name == wanted));
        let unknown = || format!("there is no listener {:?}", listener.unwrap_or_default());
        Ok(snapshot::explain(&config, found.ok_or_else(unknown)?, head))
    }

    /// The addresses of the listeners as bound, by name.
    #[must_use]
    pub fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        self.snapshot().listeners.iter().map(|listener| (Arc::clone(&listener.name), listener.address)).collect()
    }

    /// The address of the admin listener as bound.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// What serves now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.store.load()
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Reads everything again, as if a file had changed.
    pub fn reload(&self) {
        if let Some(reload) = &self.reload {
            reload.ask();
        }
    }

    /// Stops to accept, lets exchanges end within the drain time, and returns when the last is done.
    pub fn shutdown(mut self) {
        self.reload = None;
        self.drain.cancel();
        for worker in self.workers.drain(..) {
            // It has logged why, if it panicked.
            let _ = worker.join();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.reload = None;
        self.drain.cancel();
        self.stop.cancel();
        if let Some(control) = self.control.take() {
            let _ = control.join();
        }
    }
}

fn system(error: impl std::fmt::Display) -> StartError {
    StartError::System(error.to_string())
}

fn worker_count(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    config.workers.map_or_else(cores, NonZeroUsize::get)
}

fn builder(config: &Config, metrics: Arc<Metrics>, workers: usize) -> Result<Builder, StartError> {
    let sandbox = Sandbox::new().map_err(|error| StartError::System(format!("the sandbox: {error:#}")))?;
    let state = config.state_dir.clone().or_else(default_state_dir);
    let cache = ModuleCache::new(sandbox, state.map(|dir| dir.join("modules")));
    Ok(Builder::new(cache, metrics, workers))
}

/// Where a user's programs keep what they can make again (XDG Base Directory specification).
fn default_state_dir() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("tollgate"))
}

fn bind_admin(
    config: &Config,
    overrides: &Overrides,
    address: SocketAddr,
) -> Result<std::net::TcpListener, StartError> {
    admin::bind(address).map_err(|error| {
        let mut problem = crate::snapshot::bind_problem(config, address, &error);
        if overrides.admin.is_some() {
            problem.file = PathBuf::from("--admin");
        }
        StartError::Problems(vec![problem])
    })
}

/// The thread for everything that is not traffic: admin pages, looking after upstreams, and small chores.
fn start_control(
    pages: Admin,
    socket: Option<std::net::TcpListener>,
    store: Arc<SnapshotStore>,
    stop: CancellationToken,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("control".into()).spawn(move || {
        let runtime = RuntimeBuilder::new_current_thread().enable_all().build_local(LocalOptions::default());
        let Ok(runtime) = runtime.inspect_err(|error| tracing::error!(%error, "no admin listener")) else { return };
        runtime.block_on(async {
            if let Some(socket) = socket {
                let serve = Arc::new(pages).serve(socket, stop.clone());
                tokio::task::spawn_local(async move {
                    if let Err(error) = serve.await {
                        tracing::error!(%error, "the admin listener ended");
                    }
                });
            }
            let mut sweep = tokio::time::interval(LIMITER_SWEEP);
            let mut changed = store.subscribe();
            let mut caretaker = Caretaker::default();
            caretaker.follow(&store.load().upstreams);
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    _ = changed.changed() => caretaker.follow(&store.load().upstreams),
                    _ = sweep.tick() => store.load().policies.iter().for_each(|policy| policy.filter.settings.limiter.sweep()),
                }
            }
        });
    })
}
