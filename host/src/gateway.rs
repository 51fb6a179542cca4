//! The one assembler: from a configuration to running workers, with reload and admin beside them.

mod control;
mod first;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use self::control::Control;
use self::first::First;
use crate::admin::{self, Admin, Operators};
use crate::bundled;
use crate::config::{self, Config, Overrides, Problem, Source};
use crate::deploy::{Deploy, Home, Record};
use crate::filter_test::SelfTests;
use crate::listener::Inherited;
use crate::pull::Pulls;
use crate::reload::{self, Live, Rejection, Reload, Reloader};
use crate::sandbox::{ModuleCache, Sandbox};
pub(crate) use crate::snapshot::default_state_dir;
use crate::snapshot::{self, Builder, Built, Explanation, PolicyStatus, Snapshot, SnapshotStore};
use crate::telemetry::Metrics;
use crate::tick::Ticker;
use crate::worker;

/// A running gateway. Dropped, it stops at once; `shutdown` lets exchanges end.
pub struct Gateway {
    store: Arc<SnapshotStore>,
    pages: Arc<Admin>,
    admin: Option<TcpListener>,
    reload: Option<Reload>,
    drain: CancellationToken,
    workers: Vec<JoinHandle<()>>,
    control: Control,
    _ticker: Ticker,
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
        Self::start_on(source, overrides, Inherited::default())
    }

    /// As `start`, on sockets that another process has bound; addresses for which there is none are bound here.
    ///
    /// # Errors
    /// As `start`.
    pub fn start_on(source: Source, overrides: Overrides, mut sockets: Inherited) -> Result<Self, StartError> {
        let read_at = SystemTime::now();
        let state_dir = state_dir_of(&source, &overrides);
        let deploy = Arc::new(Deploy::open(state_dir.as_deref(), &source));
        deploy.begin(Record::FILE, None);
        let mut first = First::read(&source, &overrides, &deploy)?;
        let config = first.config.clone();
        let count = worker_count(&config);
        let metrics = Arc::new(Metrics::default());
        let mut builder = builder(&config, Arc::clone(&metrics), count, Arc::clone(&deploy))?;
        let pulls = pulls(&deploy, &metrics);
        builder.pull_with(Arc::clone(&pulls));
        let inherited = config.admin.and_then(|address| sockets.take(None, address).into_iter().next());
        let takes_over = inherited.is_some();
        let bind_admin = || config.admin.map(|address| bind_admin(&config, &overrides, address)).transpose();
        let admin = inherited.map_or_else(bind_admin, |socket| Ok(Some(socket)))?;
        builder.inherit(sockets);

        let pages = Arc::new(Admin::new(Arc::clone(&metrics), Arc::clone(&deploy.journal)));
        let start_control = || -> io::Result<Control> {
            let socket = admin.as_ref().map(TcpListener::try_clone).transpose()?;
            Control::start(Arc::clone(&pages), socket)
        };
        // The pages of a predecessor are true until this process serves.
        let control = (!takes_over).then(start_control).transpose().map_err(system)?;
        let built = first.build(&source, &overrides, &deploy, &mut builder)?;
        built.find_names();
        tell(&first, &built, &pages, &deploy);
        metrics.gateway.set_generation(built.snapshot.generation);
        reload::promoted(&deploy, &built.snapshot);
        let store = SnapshotStore::new(Arc::clone(&built.snapshot));
        let ticker = Ticker::start(Arc::clone(&store)).map_err(system)?;
        ticker.get_ready()(&built.snapshot);

        let drain = CancellationToken::new();
        let workers = (0..count).map(|index| worker::start(index, Arc::clone(&store), drain.clone()));
        let workers = workers.collect::<io::Result<Vec<_>>>().map_err(system)?;
        pages.show(Arc::clone(&store));
        let control = control.map_or_else(start_control, Ok).map_err(system)?;
        let (outcome, metrics) = (Arc::clone(&pages.outcome), Arc::clone(&pages.metrics));
        let get_ready = Box::new(ticker.get_ready());
        let live = Live { config: first.config, recording: first.recording, fresh: built.fresh };
        let reloader = Reloader {
            source,
            overrides,
            builder,
            store: Arc::clone(&store),
            get_ready,
            metrics,
            outcome,
            deploy,
            pulls,
            live,
        };
        let home = reloader.deploy.home().cloned();
        let reload = Reload::start(reloader, read_at).map_err(system)?;
        admit_operators(&pages, home.as_ref(), &reload);
        let reload = Some(reload);
        Ok(Self { store, pages, admin, reload, drain, workers, control, _ticker: ticker })
    }

    /// Does everything that `start` does except to bind addresses, to fetch modules and to serve.
    ///
    /// # Errors
    /// As `start`.
    pub fn check(source: &Source, overrides: &Overrides) -> Result<(Config, Vec<PolicyStatus>), StartError> {
        Self::check_and(source, overrides, false)
    }

    /// As `check`; with `pull`, modules are fetched too, and kept nowhere.
    ///
    /// # Errors
    /// As `start`.
    pub fn check_and(
        source: &Source,
        overrides: &Overrides,
        pull: bool,
    ) -> Result<(Config, Vec<PolicyStatus>), StartError> {
        let config = config::load(source, overrides, &bundled::names()).map_err(StartError::Problems)?;
        let mut builder = builder(&config, Arc::default(), 1, Arc::default())?;
        if pull {
            builder.pull_with(pulls(&Deploy::default(), &Metrics::default()));
        }
        let statuses = builder.check(&config).map_err(StartError::Problems)?;
        Ok((config, statuses))
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
        let explained = snapshot::explain(&config, found.ok_or_else(unknown)?, head);
        explained.map_err(|error| format!("{error}; the answer is 400"))
    }

    /// The addresses of the listeners as bound, by name.
    #[must_use]
    pub fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        self.snapshot().listeners.iter().map(|listener| (Arc::clone(&listener.name), listener.address)).collect()
    }

    /// The address of the admin listener as bound.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|socket| socket.local_addr().ok())
    }

    /// Duplicates of all sockets for a successor, by the names of their listeners; the one without a name is that of the
    /// admin pages.
    ///
    /// # Errors
    /// If there are not enough descriptors.
    pub fn sockets(&self) -> io::Result<Vec<(Option<String>, OwnedFd)>> {
        let mut sockets = Vec::new();
        for listener in &self.snapshot().listeners {
            sockets.extend(listener.duplicate()?.into_iter().map(|socket| (Some(listener.name.to_string()), socket)));
        }
        if let Some(socket) = &self.admin {
            sockets.push((None, socket.try_clone()?.into()));
        }
        Ok(sockets)
    }

    /// What serves now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.store.load()
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.pages.metrics
    }

    /// Reads everything again, as if a file had changed.
    pub fn reload(&self) {
        if let Some(reload) = &self.reload {
            reload.ask();
        }
    }

    /// Stops to accept, lets exchanges end within the drain time, and returns when the last is done.
    pub fn shutdown(self) {
        self.pages.unready.cancel();
        self.drain();
    }

    /// As `shutdown`, when a successor accepts on the same sockets: the admin pages are its own from now on.
    pub fn hand_over(mut self) {
        self.admin = None;
        self.control.release_admin();
        self.drain();
    }

    fn drain(mut self) {
        self.reload = None;
        self.drain.cancel();
        for worker in self.workers.drain(..) {
            // It has logged why, if it panicked.
            let _ = worker.join();
        }
        self.snapshot().tracing.iter().for_each(|tracing| tracing.flush());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.reload = None;
        self.drain.cancel();
    }
}

fn system(error: impl std::fmt::Display) -> StartError {
    StartError::System(error.to_string())
}

fn worker_count(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    config.workers.map_or_else(cores, NonZeroUsize::get)
}

/// Says what is wrong although something serves.
fn tell(first: &First, built: &Built, pages: &Admin, deploy: &Deploy) {
    for problem in &built.problems {
        tracing::error!("{problem}");
    }
    let Some(last) = &first.last else { return };
    last.tell(deploy);
    let is_bad = !last.problems.is_empty();
    pages.metrics.gateway.set_last_known_good(is_bad);
    let rejection = Rejection { at: SystemTime::now(), problems: last.problems.clone() };
    pages.outcome.set(is_bad.then_some(rejection));
}

/// Opens the socket for operators. Without it all goes on but what they want.
fn admit_operators(pages: &Admin, home: Option<&Home>, reload: &Reload) {
    let Some(home) = home else { return };
    match admin::bind_operators(home.path()) {
        Ok(socket) => pages.admit(Operators { socket, operations: reload.operations() }),
        Err(error) => {
            tracing::warn!(folder = %home.path().display(), %error, "there is no socket for operators");
        }
    }
}

/// Where the state is, whatever else the configuration says.
fn state_dir_of(source: &Source, overrides: &Overrides) -> Option<PathBuf> {
    let configured = match source {
        Source::File(path) => config::state_dir_of(path),
        Source::Flags(_) => None,
    };
    overrides.state_dir.clone().or(configured).or_else(snapshot::default_state_dir)
}

fn state_dir(config: &Config) -> Option<PathBuf> {
    config.state_dir.clone().or_else(snapshot::default_state_dir)
}

fn builder(config: &Config, metrics: Arc<Metrics>, workers: usize, deploy: Arc<Deploy>) -> Result<Builder, StartError> {
    let sandbox = Sandbox::new().map_err(|error| StartError::System(format!("the sandbox: {error:#}")))?;
    let cache = Arc::new(ModuleCache::new(sandbox, state_dir(config).map(|dir| dir.join("modules"))));
    let mut builder = Builder::new(Arc::clone(&cache), metrics, workers, deploy);
    builder.test_with(Arc::new(SelfTests::new(cache)));
    Ok(builder)
}

/// Modules from registries, as far as this gateway has them.
fn pulls(deploy: &Deploy, metrics: &Metrics) -> Arc<Pulls> {
    Arc::new(Pulls::new(deploy.home(), Arc::clone(&deploy.journal), Arc::clone(&metrics.registries)))
}

fn bind_admin(config: &Config, overrides: &Overrides, address: SocketAddr) -> Result<TcpListener, StartError> {
    admin::bind(address).map_err(|error| {
        let mut problem = crate::snapshot::bind_problem(config, address, &error);
        if overrides.admin.is_some() {
            problem.file = PathBuf::from("--admin");
        }
        StartError::Problems(vec![problem])
    })
}
