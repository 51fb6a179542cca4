//! From a change of a file to a new snapshot: settle, read, verify, build, swap, or keep the old one and say why. All on a
//! thread of its own with low priority: nothing on the way of a request waits for any of it.

mod judge;
mod live;
mod operate;
mod rules;
mod settle;
mod trial;
mod watch;

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use self::judge::{Judge, Judgement};
use self::live::Files;
pub use self::live::Live;
use self::operate::Request;
pub use self::operate::{OperateError, Operated, Operations};
use self::settle::{Changes, Settled};
use self::watch::Watch;
use crate::bundled;
use crate::config::{self, Config, Files as ConfigFiles, Overrides, Problem, Source};
use crate::deploy::{DEFAULT_SIZE, Deploy, Fresh, Record, Serving, Stage, Version};
use crate::pull::Pulls;
use crate::snapshot::{Builder, Built, PolicyStatus, Snapshot, SnapshotStore, wanted};
use crate::telemetry::{Metrics, service_manager};

/// Does what has to be done before a snapshot serves.
pub type GetReady = Box<dyn Fn(&Arc<Snapshot>) + Send>;

/// Where the configuration comes from and what it is turned into.
pub struct Reloader {
    /// Where to read from.
    pub source: Source,
    /// What the command line says over it.
    pub overrides: Overrides,
    /// Builds snapshots.
    pub builder: Builder,
    /// Where they go.
    pub store: Arc<SnapshotStore>,
    /// What has to be done before one serves.
    pub get_ready: GetReady,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The outcome of the latest reload.
    pub outcome: Arc<Outcome>,
    /// What is remembered of changes.
    pub deploy: Arc<Deploy>,
    /// Modules from elsewhere.
    pub pulls: Arc<Pulls>,
    /// What is live.
    pub live: Live,
}

/// What the latest reload came to, for the admin pages.
#[derive(Debug, Default)]
pub struct Outcome(Mutex<Option<Rejection>>);

/// A change as a whole that was rejected. Problems of single policies are in their status.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// When.
    pub at: SystemTime,
    /// Why.
    pub problems: Vec<Problem>,
}

impl Outcome {
    /// Why the latest change was rejected, unless it went live.
    #[must_use]
    pub fn rejection(&self) -> Option<Rejection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says why what is there is not what serves, if it is not.
    pub fn set(&self, rejection: Option<Rejection>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rejection;
    }
}

/// What the reload thread is told.
enum Event {
    /// Something changed below a watched directory.
    Changed(notify::Event),
    /// Somebody asked for a reload.
    Asked,
    /// A tag in a registry means something else than before, or something could be fetched that could not.
    Fetched,
    /// Somebody wants something else done.
    Operate(Box<Request>),
    /// A version on trial has been judged.
    Judged(Box<Judgement>),
    /// The gateway stops.
    Stop,
}

/// The running reload thread. Stops when dropped.
pub struct Reload {
    events: Sender<Event>,
    pulls: Arc<Pulls>,
    thread: Option<JoinHandle<()>>,
}

impl Reload {
    /// Watches what the configuration was read from, at `read_at` or later; what has changed since then is read again.
    ///
    /// # Errors
    /// If the thread cannot be started or the system has no room for a watch.
    pub fn start(reloader: Reloader, read_at: SystemTime) -> io::Result<Self> {
        let (events, received) = channel();
        let mut watch = Watch::new(events.clone()).map_err(io::Error::other)?;
        let mut files = Files::of(&reloader.source, &reloader.live.config);
        watch.follow(&files.directories, &files.files);
        if files.changed_since(read_at) {
            let _ = events.send(Event::Asked);
        }
        let (again, pulls) = (events.clone(), Arc::clone(&reloader.pulls));
        let judge = Judge::start(Arc::clone(&reloader.deploy.journal), events.clone())?;
        let thread = std::thread::Builder::new().name("reload".into()).spawn(move || {
            // Compiling may take seconds; the cores belong to traffic. Without the right to it, it only is less polite.
            let _ = rustix::process::nice(10);
            reloader.run(&received, &mut watch, &mut files, &again, judge);
        })?;
        Ok(Self { events, pulls, thread: Some(thread) })
    }

    /// Where people's wishes go.
    #[must_use]
    pub fn operations(&self) -> Operations {
        Operations(self.events.clone())
    }

    /// Reloads as if a file had changed.
    pub fn ask(&self) {
        let _ = self.events.send(Event::Asked);
    }
}

impl Drop for Reload {
    fn drop(&mut self) {
        let _ = self.events.send(Event::Stop);
        // It may be waiting for a registry.
        self.pulls.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Reloader {
    fn run(
        mut self,
        events: &Receiver<Event>,
        watch: &mut Watch,
        files: &mut Files,
        again: &Sender<Event>,
        judge: Judge,
    ) {
        let fresh = std::mem::take(&mut self.live.fresh);
        self.written_down(fresh);
        self.begin_trials();
        judge.follow(&self.store.load());
        self.follow(&self.live.config, again);
        if let Some(home) = self.deploy.home() {
            tracing::info!(folder = %home.path().display(), "what serves is written down");
        }
        while let Some(settled) = Changes::default().wait(events, |event| watch.concerns(event)) {
            let Settled { took, changed, fetched, requests, judgements } = settled;
            let read_at = SystemTime::now();
            let by = if changed { Record::FILE } else { Record::REGISTRY };
            if (changed || fetched) && self.reload(took, by, again) {
                *files = Files::of(&self.source, &self.live.config);
            }
            requests.into_iter().for_each(|request| self.serve_request(request));
            judgements.into_iter().for_each(|judgement| self.conclude(&judgement));
            judge.follow(&self.store.load());
            if watch.follow(&files.directories, &files.files) && files.changed_since(read_at) {
                let _ = again.send(Event::Asked);
            }
        }
    }

    /// Follows the tags that policies name.
    fn follow(&self, config: &Config, again: &Sender<Event>) {
        let again = again.clone();
        self.pulls.follow(wanted(config), &move || {
            // The gateway stops if that fails.
            let _ = again.send(Event::Fetched);
        });
    }

    /// Reads everything again and swaps, or says why not.
    fn reload(&mut self, settled: Duration, by: &str, again: &Sender<Event>) -> bool {
        if self.deploy.is_paused() {
            tracing::warn!("a change is not taken: changes are paused");
            return false;
        }
        service_manager::reloading();
        let is_live = self.try_reload(settled, by, again);
        service_manager::ready();
        is_live
    }

    fn try_reload(&mut self, settled: Duration, by: &str, again: &Sender<Event>) -> bool {
        let started = Instant::now();
        self.deploy.begin(by, None);
        let mut files = ConfigFiles::on_disk_after(&self.live.recording);
        let config = config::load_from(&files, &self.source, &self.overrides, &bundled::names());
        self.deploy.before(self.deploy.note(Stage::Settle).took(settled));
        self.deploy.before(self.deploy.note(Stage::Read).took(started.elapsed()));
        let mut built = config.and_then(|config| self.build(config, again));
        if built.is_err() && !self.builder.unready_teams().is_empty() {
            // Their own mistake is to hold up nobody else.
            let teams = self.builder.unready_teams().to_vec();
            files = ConfigFiles::on_disk_after(&self.live.recording).holding_back(teams);
            let config = config::load_from(&files, &self.source, &self.overrides, &bundled::names());
            built = config.and_then(|config| self.build(config, again));
        }
        match built {
            Ok((built, config)) => {
                let is_other = self.live.take(config, files.taken());
                let (generation, rejected) = (built.snapshot.generation, built.problems.len());
                for problem in &built.problems {
                    tracing::error!("{problem}");
                }
                self.outcome.set(None);
                self.go_live(built);
                if is_other {
                    self.deploy.record(self.deploy.note(Stage::Promote));
                }
                self.metrics.gateway.set_last_known_good(false);
                self.metrics.gateway.reloaded(rejected == 0);
                tracing::info!(generation, ms = ms(started.elapsed()), rejected, "reloaded");
                true
            }
            Err(problems) => {
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                self.rejected(&problems);
                tracing::error!(problems = problems.len(), "the change is rejected; what served before keeps serving");
                self.outcome.set(Some(Rejection { at: SystemTime::now(), problems }));
                self.metrics.gateway.reloaded(false);
                false
            }
        }
    }

    fn build(&mut self, config: Config, again: &Sender<Event>) -> Result<(Built, Config), Vec<Problem>> {
        let built = self.builder.build(&config, Some(&self.store.load()));
        // Whether it can go live or not: what cannot be had yet may be had later.
        self.follow(&config, again);
        Ok((built?, config))
    }

    /// What people want, built of the files as they are, or as they were when they were good. Fails if the version that is
    /// wanted is not what would serve.
    fn rebuild(&mut self, policy: Option<&str>, wanted: Option<Version>) -> Result<Built, String> {
        let files = ConfigFiles::on_disk_after(&self.live.recording);
        let read = (!self.deploy.is_paused())
            .then(|| config::load_from(&files, &self.source, &self.overrides, &bundled::names()).ok());
        let current = self.store.load();
        let (built, read) = match read.flatten() {
            Some(config) => (self.builder.build(&config, Some(&current)), Some((config, files.taken()))),
            None => (self.builder.build(&self.live.config, Some(&current)), None),
        };
        let told = |problems: &[Problem]| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let built = built.map_err(|problems| told(&problems))?;
        let mut statuses = built.snapshot.statuses.iter();
        let status = policy.and_then(|policy| statuses.find(|status| status.name == *policy));
        if let (Some(status), Some(_)) = (status, wanted)
            && status.version != wanted
        {
            // The files have yet another version, which is tried, as nobody has rolled it back.
            let remedy = "to serve a version whatever files say, pin it";
            return Err(format!("{}\n{remedy}", told(&status.problems)));
        }
        if let Some((config, recording)) = read {
            self.live.take(config, recording);
        }
        Ok(built)
    }

    /// Swaps, and writes down what serves from now on.
    fn go_live(&mut self, built: Built) {
        built.find_names();
        (self.get_ready)(&built.snapshot);
        let before = self.store.load();
        self.store.swap(Arc::clone(&built.snapshot));
        promoted(&self.deploy, &built.snapshot);
        self.end_trials(&before, &built.snapshot);
        self.begin_trials();
        self.written_down(built.fresh);
    }

    /// Writes down what serves.
    fn written_down(&self, fresh: Vec<Fresh>) {
        let snapshot = self.store.load();
        let serving = |status: &PolicyStatus| {
            let trial = snapshot.trial_of(&status.name).map(|trial| trial.course.candidate);
            Some(Serving { policy: status.name.clone(), version: status.version?, trial })
        };
        let serving: Vec<_> = snapshot.statuses.iter().filter_map(serving).collect();
        let is_more = !fresh.is_empty();
        self.deploy.set_bound(self.live.config.state_size.unwrap_or(DEFAULT_SIZE));
        self.deploy.served(&self.live.recording, &serving, fresh);
        if is_more {
            self.builder.collect();
        }
    }

    /// Writes down why a change as a whole was rejected.
    fn rejected(&self, problems: &[Problem]) {
        let reason = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        self.deploy.record(self.deploy.note(Stage::Reject).failed(reason));
    }
}

/// Writes down which policies serve in another version than before, and counts those that are no longer trusted.
pub fn promoted(deploy: &Deploy, snapshot: &Snapshot) {
    let distrusted = snapshot.statuses.iter().filter(|status| !status.distrusted.is_empty()).count();
    snapshot.metrics.gateway.set_distrusted(distrusted);
    for status in snapshot.statuses.iter().filter(|status| status.is_new && status.version.is_some()) {
        let record = deploy.note(Stage::Promote).of(&status.name, status.version, status.digest);
        deploy.record(record);
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
