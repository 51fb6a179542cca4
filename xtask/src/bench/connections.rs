//! The gateway with the three standard policies and many idle keep-alive connections: what does one cost?

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::holdings::{Holdings, mib};
use super::http::Connection;
use super::options::Options;
use super::peers::{self, Gateway, Upstream};
use super::scenarios::Scenario;
use super::{place, procfs, report, service};

const SETTLE: Duration = Duration::from_secs(2);

/// The gateway's goal for so many connections.
const GOAL: (u32, f64) = (10_000, 120.0);

/// Connections that the gateway allows beyond those.
const SPARE: u32 = 16;
/// Descriptors that it, or the bench, needs besides.
const OTHERS: u64 = 500;

/// Runs `cargo xtask bench connections`.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let count = options.connections;
    // Programs that are started from here on have the same limit.
    allow_descriptors(u64::from(count) + OTHERS)?;
    let program = peers::build_gateway(options.gateway.as_deref())?;
    let folder = place::fresh_folder("connections")?;
    let upstream = Upstream::start()?;
    let gateway = Gateway::start_with_connections(&program, &folder, upstream.address, count + SPARE)?;

    let now = || Holdings::of(gateway.service.pid());
    let ready = now();
    let open = open(&gateway, count)?;
    sleep(SETTLE);
    let idle = now();
    ensure!(
        idle.descriptors >= count as usize,
        "the gateway keeps only {} descriptors open for {count} connections; its last words:\n{}",
        idle.descriptors,
        gateway.service.last_words()
    );
    drop(open);
    sleep(SETTLE);
    let each = mib(idle.resident_kib.saturating_sub(ready.resident_kib)) * 1024.0 / f64::from(count);
    report::text(&format!(
        "{count} keep-alive connections, each after one request; three standard policies, 2 workers\n\
         \x20 when ready            {}\n\
         \x20 with all of them idle {}{}\n\
         \x20 after they closed     {}\n\
         \x20 for each connection   {each:.1} KiB\n",
        ready.describe(),
        idle.describe(),
        verdict(count, mib(idle.resident_kib)),
        now().describe(),
    ))
}

fn verdict(count: u32, resident_mib: f64) -> String {
    let (connections, goal) = GOAL;
    let verdict = if resident_mib <= goal { "met" } else { "missed" };
    if count == connections { format!("   goal, at most {goal} MiB: {verdict}") } else { String::new() }
}

/// One after the other: idle connections need nobody who waits for them.
fn open(gateway: &Gateway, count: u32) -> anyhow::Result<Vec<Connection>> {
    let scenario = Scenario::Chain;
    let mut open = Vec::with_capacity(count as usize);
    for number in 0..count {
        if number % 500 == 0 {
            report::progress(&format!("connection {number} of {count}"));
        }
        let context = || format!("connection {} of {count} failed", number + 1);
        let mut connection = Connection::open(gateway.address).with_context(context)?;
        let response = connection.get(scenario.path(), scenario.headers()).with_context(context)?;
        ensure!(response.status == 200, "status {} on connection {}", response.status, number + 1);
        open.push(connection);
    }
    report::progress("");
    Ok(open)
}

/// Raises the limit of open files of this process; root may raise the hard limit, too.
pub(super) fn allow_descriptors(needed: u64) -> anyhow::Result<()> {
    let (soft, hard) = procfs::open_files_limits().context("no limit of open files in /proc/self/limits")?;
    if soft >= needed {
        return Ok(());
    }
    let prlimit = place::program("prlimit").context("prlimit is missing; install the Debian package util-linux")?;
    let (pid, limit) = (std::process::id().to_string(), format!("--nofile={needed}:{}", hard.max(needed)));
    let (status, text) = service::output(&prlimit, &["--pid", &pid, &limit], Duration::from_secs(5))?;
    ensure!(
        status.success(),
        "{needed} open files are needed and {hard} allowed ({}); raise it with `ulimit -Hn`, or ask for fewer with \
         --connections",
        text.trim()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_goal_is_for_its_own_number_of_connections() {
        assert!(verdict(10_000, 120.0).ends_with("met"));
        assert!(verdict(10_000, 120.1).ends_with("missed"));
        assert_eq!(verdict(10, 500.0), "");
    }
}
