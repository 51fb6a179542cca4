//! The gateway and its peers, interleaved: a round of each, then the next round of each, so that whatever else the
//! machine does meets all of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::load::Wrk;
use super::options::Options;
use super::peers::{self, Peer, Proxy, Upstream};
use super::procfs;
use super::report::{self, Machine};
use super::scenarios::Scenario;
use super::verify::verify;

/// One peer in one round.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) requests_per_second: f64,
    pub(super) cpu_us: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) resident_mib: f64,
    /// CPU that neither the peer, the upstream nor wrk used, in cores: work that disturbed the round.
    pub(super) other_cores: f64,
    /// Why the figures do not count.
    pub(super) fault: Option<String>,
}

/// All rounds of one peer.
pub(super) struct Series {
    pub(super) peer: Peer,
    pub(super) samples: Vec<Sample>,
}

/// All that one scenario gave.
pub(super) struct Outcome {
    pub(super) scenario: Scenario,
    pub(super) series: Vec<Series>,
}

/// Runs `cargo xtask bench`.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let wrk = Wrk::find()?;
    let gateway = match options.peers.contains(&Peer::Tollgate) {
        true => peers::build_gateway(options.gateway.as_deref())?,
        false => PathBuf::new(),
    };
    let peers = installed(options, &gateway)?;
    let upstream = Upstream::start()?;
    let machine = Machine::look(&peers, &gateway);
    report::machine(&machine, options)?;
    let mut outcomes = Vec::new();
    for scenario in options.scenarios.iter().copied() {
        let proxies = start(&peers, scenario, &upstream, &gateway)?;
        let outcome = measure(scenario, &proxies, &upstream, &wrk, options)?;
        report::outcome(&outcome)?;
        outcomes.push(outcome);
    }
    if let Some(file) = &options.json {
        report::json(file, &machine, options, &outcomes)?;
    }
    all_valid(&outcomes)
}

fn installed(options: &Options, gateway: &Path) -> anyhow::Result<Vec<Peer>> {
    let (found, missing): (Vec<Peer>, Vec<Peer>) =
        options.peers.iter().partition(|peer| peer.version(gateway).is_some());
    for peer in &missing {
        report::note(&format!("{} is missing: {}", peer.name(), peer.remedy()));
    }
    ensure!(
        missing.is_empty() || options.skip_missing,
        "not all peers are installed (see above); --skip-missing leaves them out"
    );
    ensure!(!found.is_empty(), "no peer is left to measure");
    Ok(found)
}

fn start(peers: &[Peer], scenario: Scenario, upstream: &Upstream, gateway: &Path) -> anyhow::Result<Vec<Proxy>> {
    let mut proxies = Vec::new();
    for peer in peers.iter().filter(|peer| peer.takes_part(scenario)) {
        let proxy = peer
            .start(scenario, upstream.address, gateway)
            .with_context(|| format!("could not set up {} for {}", peer.name(), scenario.name()))?;
        verify(&proxy, scenario)?;
        proxies.push(proxy);
    }
    Ok(proxies)
}

fn measure(
    scenario: Scenario,
    proxies: &[Proxy],
    upstream: &Upstream,
    wrk: &Wrk,
    options: &Options,
) -> anyhow::Result<Outcome> {
    let mut series: Vec<Series> =
        proxies.iter().map(|proxy| Series { peer: proxy.peer, samples: Vec::new() }).collect();
    for proxy in proxies {
        report::progress(&format!("{}: warming up {}", scenario.name(), proxy.peer.name()));
        wrk.run(proxy.address, scenario, 1)?;
    }
    for round in 0..options.rounds {
        for at in order(proxies.len(), round) {
            let peer = &proxies[at];
            let name = peer.peer.name();
            report::progress(&format!("{}: round {} of {}, {name}", scenario.name(), round + 1, options.rounds));
            series[at].samples.push(sample(peer, scenario, upstream, wrk, options.seconds)?);
        }
    }
    report::progress("");
    Ok(Outcome { scenario, series })
}

/// Every second round goes backwards, so that no peer always comes first or always after the same one.
fn order(peers: usize, round: u32) -> Vec<usize> {
    match round % 2 {
        0 => (0..peers).collect(),
        _ => (0..peers).rev().collect(),
    }
}

fn sample(proxy: &Proxy, scenario: Scenario, upstream: &Upstream, wrk: &Wrk, seconds: u32) -> anyhow::Result<Sample> {
    let (pid, upstream) = (proxy.service.pid(), upstream.service.pid());
    let peer_before = procfs::cpu(pid);
    let ours = || procfs::cpu(pid) + procfs::cpu(upstream) + procfs::cpu_of_ended_children();
    let (ours_before, machine_before) = (ours(), procfs::cpu_of_machine());
    let figures = wrk.run(proxy.address, scenario, seconds)?;
    let (ours_after, machine_after) = (ours(), procfs::cpu_of_machine());
    let cpu = procfs::cpu(pid).saturating_sub(peer_before);
    let others = machine_after.saturating_sub(machine_before).saturating_sub(ours_after.saturating_sub(ours_before));

    let done = figures.requests.max(1) as f64;
    let nothing_done = (figures.requests == 0).then(|| "no request was answered".to_owned());
    Ok(Sample {
        requests_per_second: figures.requests as f64 / figures.seconds,
        cpu_us: cpu.as_secs_f64() * 1e6 / done,
        p50_us: figures.p50_us,
        p99_us: figures.p99_us,
        resident_mib: procfs::resident_kib(pid) as f64 / 1024.0,
        other_cores: others.as_secs_f64() / figures.seconds,
        fault: figures.errors.describe().or(nothing_done),
    })
}

/// A peer that never gave a round without errors has no figures.
fn all_valid(outcomes: &[Outcome]) -> anyhow::Result<()> {
    for outcome in outcomes {
        for series in &outcome.series {
            if series.samples.iter().all(|sample| sample.fault.is_some()) {
                bail!(
                    "{} gave no round of {} without errors; its messages are below target/bench",
                    series.peer.name(),
                    outcome.scenario.name()
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_go_forth_and_back() {
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [2, 1, 0]);
        assert_eq!(order(3, 2), [0, 1, 2]);
    }
}
