//! The gateway with the three standard policies and no traffic: memory, and how often it wakes up.

use std::thread::sleep;
use std::time::Duration;

use super::holdings::{Holdings, mib};
use super::options::Options;
use super::peers::{self, Gateway, Upstream};
use super::{place, procfs, report};

const SETTLE: Duration = Duration::from_secs(3);
const WATCH: Duration = Duration::from_secs(5);

/// The gateway's goal.
const GOAL_MIB: f64 = 60.0;

/// Runs `cargo xtask bench idle`.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let program = peers::build_gateway(options.gateway.as_deref())?;
    let folder = place::fresh_folder("idle")?;
    let policies = folder.join("policies");
    peers::standard_policies(&policies)?;
    let upstream = Upstream::start()?;
    let gateway = Gateway::start(&program, &folder, &policies, upstream.address)?;

    let pid = gateway.service.pid();
    let ready = Holdings::of(pid);
    sleep(SETTLE);
    let settled = Holdings::of(pid);
    let (switches, cpu) = (procfs::voluntary_switches(pid), procfs::cpu(pid));
    sleep(WATCH);
    let switches = procfs::voluntary_switches(pid).saturating_sub(switches) as f64 / WATCH.as_secs_f64();
    let cpu = procfs::cpu(pid).saturating_sub(cpu).as_secs_f64() * 1e3 / WATCH.as_secs_f64();

    let verdict = if mib(settled.resident_kib) <= GOAL_MIB { "met" } else { "missed" };
    report::text(&format!(
        "idle, three standard policies, 2 workers\n\
         \x20 when ready          {}\n\
         \x20 after 3 s           {}   goal, at most {GOAL_MIB} MiB: {verdict}\n\
         \x20 voluntary switches  {switches:.1} a second\n\
         \x20 CPU                 {cpu:.1} ms a second\n",
        ready.describe(),
        settled.describe()
    ))
}
