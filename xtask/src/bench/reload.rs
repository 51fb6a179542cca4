//! From a changed file to the first request that sees the new version, while other requests go on.

mod background;
mod module;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::holdings::Holdings;
use super::http::Connection;
use super::options::Options;
use super::peers::{self, Gateway, Upstream};
use super::scenarios::Scenario;
use super::{figures, place, report};
use background::{Background, Tally};

/// A change that does not show within this time never will.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two questions whether the change shows.
const POLL: Duration = Duration::from_millis(1);
/// Between two changes at least, so that each is one of its own for whoever gathers changes.
const PAUSE: Duration = Duration::from_millis(150);

/// Before the gateway's holdings are taken.
const SETTLE: Duration = Duration::from_secs(1);
/// Changes of each kind before that: the memory of the first compilations is given back only at later ones.
const FIRST: u32 = 5;

/// What is changed, and the goal for its p99.
struct Kind {
    name: &'static str,
    goal_ms: f64,
}

const CONFIGURATION: Kind = Kind { name: "configuration", goal_ms: 300.0 };
const NEW_MODULE: Kind = Kind { name: "new module", goal_ms: 700.0 };
const KNOWN_MODULE: Kind = Kind { name: "module compiled before", goal_ms: 300.0 };

/// A gateway under light load, its policies, and a connection that asks for the version.
struct Bed {
    gateway: Gateway,
    _upstream: Upstream,
    policies: PathBuf,
    /// On the same file system as `policies`: files are made here and moved in, so that no one sees half of one.
    workshop: PathBuf,
    connection: Connection,
}

/// Runs `cargo xtask bench reload`.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let program = peers::build_gateway(options.gateway.as_deref())?;
    let module = read_module(options.module.as_deref())?;
    let mut bed = Bed::start(&program)?;
    let size = module.len() as f64 / 1024.0;
    report::text(&format!(
        "{} changes of each kind; module of {size:.0} KiB; ms from changed file to first request on the new version\n\
         {:<24}{:>8}{:>8}{:>8}{:>10}{:>9}{:>14}\n",
        options.changes, "change", "p50", "p99", "max", "requests", "failed", "slowest ms"
    ))?;

    for number in 0..FIRST {
        let name = format!("before-{number}");
        bed.change_module(&module::variant(&module, &name), &name)?;
        sleep(pause(number));
        bed.change_configuration(options.changes + number)?;
        sleep(pause(number));
    }
    let before = bed.holdings()?;
    bed.series(&CONFIGURATION, options.changes, Bed::change_configuration)?;
    bed.series(&NEW_MODULE, options.changes, |bed, number| {
        bed.change_module(&module::variant(&module, &format!("new-{number}")), &format!("new-{number}"))
    })?;
    let known = ["a", "b"].map(|name| module::variant(&module, name));
    for (number, variant) in known.iter().enumerate() {
        bed.change_module(variant, &format!("first-{number}"))?;
    }
    bed.series(&KNOWN_MODULE, options.changes, |bed, number| {
        bed.change_module(&known[number as usize % 2], &format!("known-{number}"))
    })?;
    bed.report_growth(&before)
}

fn read_module(named: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let default = place::workspace()?.target_dir.join("filters/headers.wasm");
    let path = named.unwrap_or(&default);
    let module = fs::read(path).with_context(|| {
        format!("no filter at {}; run `cargo xtask build`, or name the headers filter with --module", path.display())
    })?;
    ensure!(module.starts_with(b"\0asm"), "{} is no WebAssembly module", path.display());
    Ok(module)
}

impl Bed {
    fn start(program: &Path) -> anyhow::Result<Self> {
        let folder = place::fresh_folder("reload")?;
        let (policies, workshop) = (folder.join("policies"), folder.join("workshop"));
        fs::create_dir_all(&workshop)?;
        peers::standard_policies(&policies)?;
        let upstream = Upstream::start()?;
        let gateway = Gateway::start(program, &folder, &policies, upstream.address)?;
        let connection = Connection::open(gateway.address)?;
        Ok(Self { gateway, _upstream: upstream, policies, workshop, connection })
    }

    /// Makes so many changes and prints how long each took to show.
    fn series(
        &mut self,
        kind: &Kind,
        changes: u32,
        mut change: impl FnMut(&mut Self, u32) -> anyhow::Result<Duration>,
    ) -> anyhow::Result<()> {
        let background = Background::start(self.gateway.address)?;
        let mut times = Vec::new();
        for number in 0..changes {
            report::progress(&format!("{}: change {} of {changes}", kind.name, number + 1));
            sleep(pause(number));
            times.push(change(self, number)?.as_secs_f64() * 1e3);
        }
        report::progress("");
        report::text(&line(kind, &times, &background.stop()))
    }

    fn change_configuration(&mut self, number: u32) -> anyhow::Result<Duration> {
        let value = format!("configuration-{number}");
        let made = self.workshop.join("30-headers.toml");
        peers::write_headers_policy(&made, &value)?;
        let start = Instant::now();
        self.move_in("30-headers.toml")?;
        self.wait_for("x-gateway", &value, start)
    }

    /// The module comes first and its configuration right after it: who sees the new value runs the new module.
    fn change_module(&mut self, module: &[u8], value: &str) -> anyhow::Result<Duration> {
        let config = format!("[config.response.set]\nx-module = \"{value}\"\n");
        place::write(&self.workshop.join("40-mod.wasm"), module)?;
        place::write(&self.workshop.join("40-mod.toml"), config)?;
        let start = Instant::now();
        self.move_in("40-mod.wasm")?;
        self.move_in("40-mod.toml")?;
        self.wait_for("x-module", value, start)
    }

    fn move_in(&self, name: &str) -> anyhow::Result<()> {
        let target = self.policies.join(name);
        fs::rename(self.workshop.join(name), &target)
            .with_context(|| format!("could not move a file to {}", target.display()))
    }

    fn wait_for(&mut self, field: &str, value: &str, start: Instant) -> anyhow::Result<Duration> {
        loop {
            match self.connection.get(Scenario::Chain.path(), Scenario::Chain.headers()) {
                Ok(response) if response.field(field) == Some(value) => return Ok(start.elapsed()),
                Ok(_old_version) => sleep(POLL),
                // A closed connection is counted by the load in the background, if it is more than good manners.
                Err(_) => self.connection = Connection::open(self.gateway.address)?,
            }
            if start.elapsed() > PATIENCE {
                bail!(
                    "no request saw {field}: {value} within {} s; the gateway's last words:\n{}",
                    PATIENCE.as_secs(),
                    self.gateway.service.last_words()
                );
            }
        }
    }

    /// What the gateway holds under the load that goes on while files change: idle connections to the upstream, which
    /// the gateway keeps for a while, must not look like a leak.
    fn holdings(&self) -> anyhow::Result<Holdings> {
        let background = Background::start(self.gateway.address)?;
        sleep(SETTLE);
        let holdings = Holdings::of(self.gateway.service.pid());
        background.stop();
        Ok(holdings)
    }

    fn report_growth(&self, before: &Holdings) -> anyhow::Result<()> {
        let after = self.holdings()?;
        let verdict = if before.is_kept_by(&after) { "met" } else { "missed" };
        report::text(&format!(
            "after the first changes  {}\nafter all changes        {}   goal, no growth: {verdict}\n",
            before.describe(),
            after.describe()
        ))
    }
}

/// Never the same length twice in a row: changes must not fall in step with a timer of the gateway.
fn pause(number: u32) -> Duration {
    PAUSE + Duration::from_millis(u64::from(number) * 37 % 101)
}

fn line(kind: &Kind, times: &[f64], tally: &Tally) -> String {
    let at = |percent| figures::percentile(times, percent).unwrap_or(f64::NAN);
    let verdict = if at(99.0) <= kind.goal_ms && tally.failed == 0 { "met" } else { "missed" };
    let mut text = format!(
        "{:<24}{:>8.1}{:>8.1}{:>8.1}{:>10}{:>9}{:>14.1}   goal, p99 at most {} ms and none failed: {verdict}\n",
        kind.name,
        at(50.0),
        at(99.0),
        at(100.0),
        tally.requests,
        tally.failed,
        tally.slowest.as_secs_f64() * 1e3,
        kind.goal_ms
    );
    if let Some(failure) = &tally.first_failure {
        text.push_str(&format!("  first failure: {failure}\n"));
    }
    text
}
