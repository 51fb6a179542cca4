//! `tollgate filter dev`: the loop of an author. At each change of a project's sources it is built, and the module put live in a
//! gateway: one that runs, or one of its own before an upstream that shows what it gets. What the filter logs and its faults are
//! shown meanwhile. What cannot be built, or what the gateway refuses, is said, and the version before goes on to serve.

mod gateway;
mod paint;
mod policy;
mod sources;
mod tail;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use clap::Args;

use self::gateway::{Fate, Target};
use self::paint::{Kind, Paint};
use self::sources::{Event, Sources};
use super::filter_build::{Built, Purpose, build};
use super::language::Language;
use super::which::Which;

/// How often the gateway is asked what became of a change.
const ASK: Duration = Duration::from_millis(50);
/// How long it may take to tell: compiling is bounded by 120 s.
const PATIENCE: Duration = Duration::from_secs(180);

// No doc comment: clap would take it for the command's description.
#[derive(Args)]
pub(super) struct FilterDev {
    /// The folder of the project.
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    #[command(flatten)]
    which: Which,
    /// The address of the admin pages of the running gateway.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["config", "gateway"])]
    admin: Option<SocketAddr>,
    /// The watched directory of the running gateway, if it is not as the gateway says.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// The policy that the filter is live as [default: the name of the filter].
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Where the gateway of its own listens [default: 127.0.0.1:8080, or any port if that is taken].
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["config", "gateway", "admin"])]
    listen: Option<SocketAddr>,
    /// What the gateway of its own is before, as http://HOST:PORT, instead of an upstream that answers with what it was asked.
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "gateway", "admin"])]
    upstream: Option<String>,
    /// Build it as it is deployed, without what says where in the sources a fault was.
    #[arg(long)]
    release: bool,
}

impl FilterDev {
    pub(super) fn run(self) -> Result<(), String> {
        // Said before a gateway is started for nothing.
        Language::of(&self.project)?;
        let (sender, events) = channel();
        stop_by_signal(sender.clone())?;
        let mut sources = Sources::watch(&self.project, sender)?;
        let paint = Paint::of_terminal();
        let target = self.target(paint)?;
        let mut work = Work { args: &self, target, paint, put: None, live: None, tails: false };
        loop {
            work.turn();
            if !sources.wait(&events) {
                break;
            }
        }
        work.target.farewell(paint);
        Ok(())
    }

    fn target(&self, paint: Paint) -> Result<Target, String> {
        match self.admin {
            Some(address) => Target::at(address, self.policies.as_deref()),
            None if self.which.is_named() => Target::of(self.which.home()?, self.policies.as_deref()),
            None => {
                let target = Target::own(&self.project, self.listen, self.upstream.as_deref())?;
                for address in target.addresses() {
                    paint.line(Kind::Gateway, &format!("listens: curl -i http://{address}/"));
                }
                Ok(target)
            }
        }
    }
}

/// What is done again and again.
struct Work<'a> {
    args: &'a FilterDev,
    target: Target,
    paint: Paint,
    /// The digest of the module and the text of the policy that were put there last.
    put: Option<(String, String)>,
    /// The digest of the module that went live last.
    live: Option<String>,
    tails: bool,
}

impl Work<'_> {
    /// Builds it and puts it live.
    fn turn(&mut self) {
        let began = Instant::now();
        let purpose = if self.args.release { Purpose::Release } else { Purpose::Debug };
        match build(&self.args.project, purpose) {
            Ok(built) => {
                if let Err(reason) = self.deploy(&built, began) {
                    self.paint.line(Kind::Failed, &reason);
                }
            }
            Err(reason) => self.paint.line(Kind::Failed, &format!("{reason}{}", self.kept())),
        }
    }

    fn deploy(&mut self, built: &Built, began: Instant) -> Result<(), String> {
        let name = self.args.policy.as_deref().unwrap_or(&built.name).to_owned();
        let digest = gateway::digest(&built.module);
        if !self.tails {
            tail::start(self.target.door(), name.clone(), self.paint);
            self.tails = true;
        }
        let text = policy::text(&self.args.project)?;
        let work = (digest.clone(), text);
        if self.put.as_ref() == Some(&work) {
            return Ok(());
        }
        let (size, took) = (built.module.len().div_ceil(1024), began.elapsed().as_secs_f64());
        self.paint.line(Kind::Built, &format!("{name}: {size} KiB in {took:.1} s"));
        let put = Instant::now();
        let since = self.target.newest_change()?;
        let changed = self.target.put(&name, &work.1, &built.module)?;
        self.put = Some(work);
        match if changed { self.fate(&name, &digest, since)? } else { self.target.standing(&name, &digest)? } {
            Fate::Live => self.is_live(&name, digest, put),
            Fate::Refused(reason) => self.paint.line(Kind::Refused, &format!("{name}: {reason}{}", self.kept())),
        }
        Ok(())
    }

    fn is_live(&mut self, name: &str, digest: String, put: Instant) {
        let took = put.elapsed().as_millis();
        self.paint.line(Kind::Live, &format!("{name}: {} after {took} ms", &digest[..12]));
        if self.live.is_none() && !self.target.is_on_a_route(name) {
            let hint =
                format!("no route has the policy {name}: write policies = [\"{name}\"] into one of the configuration");
            self.paint.line(Kind::Gateway, &hint);
        }
        self.live = Some(digest);
    }

    /// What became of the change.
    fn fate(&self, name: &str, digest: &str, since: u64) -> Result<Fate, String> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(fate) = self.target.fate(name, digest, since)? {
                return Ok(fate);
            }
            std::thread::sleep(ASK);
        }
        Err(format!("{name}: the gateway has not said within {} s what became of it", PATIENCE.as_secs()))
    }

    fn kept(&self) -> &'static str {
        if self.live.is_some() { "; the version before goes on to serve" } else { "" }
    }
}

/// The first signal ends it when what is being done is done, and the second one at once.
fn stop_by_signal(events: Sender<Event>) -> Result<(), String> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error: std::io::Error| format!("cannot catch signals: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let caught = {
        let _inside = runtime.enter();
        [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
    };
    let [interrupt, terminate] = caught;
    let (mut interrupt, mut terminate) = (interrupt.map_err(failed)?, terminate.map_err(failed)?);
    let wait = move || {
        runtime.block_on(async {
            for _ in 0..2 {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
                drop(events.send(Event::Stop));
            }
        });
        std::process::exit(130);
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map(drop).map_err(failed)
}
