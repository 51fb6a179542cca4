//! The gateway and its peers, interleaved: a round of each, then the next round of each, so that whatever else the
//! machine does meets all of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::load::{Load, Task};
use super::options::{Mode, Options};
use super::peers::{self, Peer, Proxy, Setting, Upstream};
use super::procfs;
use super::report::{self, Machine};
use super::scenarios::Scenario;
use super::tls::Certificate;
use super::verify::verify;

/// For latencies: the rate at which all are loaded, of nginx's highest.
const SHARE: f64 = 0.3;

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
    /// Requests a second that were asked for; without it, as many as there could be.
    pub(super) rate: Option<f64>,
    pub(super) series: Vec<Series>,
}

/// Runs `cargo xtask bench`, and `cargo xtask bench latency`.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let paced = options.mode == Mode::Latency;
    let certificate = Certificate::make()?;
    let load = Load::find(&certificate, paced || options.scenarios.iter().copied().any(Load::takes_h2load))?;
    let gateway = match options.peers.iter().any(|peer| peer.is_gateway()) {
        true => peers::build_gateway(options.gateway.as_deref())?,
        false => PathBuf::new(),
    };
    let peers = installed(options, &gateway)?;
    ensure!(!paced || peers.contains(&Peer::Nginx), "the rate is a share of nginx's; add --peer nginx");
    let upstream = Upstream::start()?;
    let machine = Machine::look(&peers, &gateway);
    report::machine(&machine, options)?;
    let mut outcomes = Vec::new();
    for scenario in options.scenarios.iter().copied() {
        let setting = Setting { scenario, upstream: upstream.address, gateway: &gateway, certificate: &certificate };
        let run = Run { scenario, proxies: start(&peers, setting)?, upstream: &upstream, load: &load, options };
        let outcome = run.measure(paced)?;
        report::outcome(&outcome)?;
        outcomes.push(outcome);
    }
    if let Some(file) = &options.json {
        report::json(file, &machine, options, &outcomes)?;
    }
    all_valid(&outcomes)
}

fn installed(options: &Options, gateway: &Path) -> anyhow::Result<Vec<Peer>> {
    let takes_part = |peer: &&Peer| options.scenarios.iter().any(|scenario| peer.takes_part(*scenario));
    let (found, missing): (Vec<Peer>, Vec<Peer>) =
        options.peers.iter().filter(takes_part).partition(|peer| peer.version(gateway).is_some());
    for peer in &missing {
        report::note(&format!("{} is missing: {}", peer.name(), peer.remedy()));
    }
    // Pingora takes a build of its own, which not every machine can do; where nobody named it, it may be left out.
    let excused = |peer: &Peer| options.skip_missing || (*peer == Peer::Pingora && !options.peers_named);
    ensure!(missing.iter().all(excused), "not all peers are installed (see above); --skip-missing leaves them out");
    ensure!(!found.is_empty(), "no peer is left to measure");
    Ok(found)
}

fn start(peers: &[Peer], setting: Setting) -> anyhow::Result<Vec<Proxy>> {
    let scenario = setting.scenario;
    let mut proxies = Vec::new();
    for peer in peers.iter().filter(|peer| peer.takes_part(scenario)) {
        let proxy =
            peer.start(setting).with_context(|| format!("could not set up {} for {}", peer.name(), scenario.name()))?;
        verify(&proxy, scenario)?;
        proxies.push(proxy);
    }
    Ok(proxies)
}

/// A scenario with its peers running.
struct Run<'a> {
    scenario: Scenario,
    proxies: Vec<Proxy>,
    upstream: &'a Upstream,
    load: &'a Load<'a>,
    options: &'a Options,
}

impl Run<'_> {
    fn measure(&self, paced: bool) -> anyhow::Result<Outcome> {
        let (scenario, rounds) = (self.scenario, self.options.rounds);
        let proxies = &self.proxies;
        let mut series: Vec<Series> =
            proxies.iter().map(|proxy| Series { peer: proxy.peer, samples: Vec::new() }).collect();
        for proxy in proxies {
            report::progress(&format!("{}: warming up {}", scenario.name(), proxy.peer.name()));
            self.load.run(self.task(proxy, 1, None))?;
        }
        let rate = if paced { Some(self.rate()?) } else { None };
        for round in 0..rounds {
            for at in order(proxies.len(), round) {
                let name = proxies[at].peer.name();
                report::progress(&format!("{}: round {} of {rounds}, {name}", scenario.name(), round + 1));
                series[at].samples.push(self.sample(&proxies[at], rate)?);
            }
        }
        report::progress("");
        Ok(Outcome { scenario, rate, series })
    }

    /// A share of what nginx can do.
    fn rate(&self) -> anyhow::Result<f64> {
        let nginx = self.proxies.iter().find(|proxy| proxy.peer == Peer::Nginx).context("nginx is not running")?;
        let figures = self.load.run(self.task(nginx, self.options.seconds(), None))?;
        ensure!(figures.requests > 0, "nginx answered no request");
        Ok((figures.requests as f64 / figures.seconds * SHARE).ceil())
    }

    fn task(&self, proxy: &Proxy, seconds: u32, rate: Option<f64>) -> Task {
        Task { address: proxy.address, scenario: self.scenario, seconds, rate }
    }

    fn sample(&self, proxy: &Proxy, rate: Option<f64>) -> anyhow::Result<Sample> {
        let (pid, upstream) = (proxy.service.pid(), self.upstream.service.pid());
        let peer_before = procfs::cpu(pid);
        let ours = || procfs::cpu(pid) + procfs::cpu(upstream) + procfs::cpu_of_ended_children();
        let (ours_before, machine_before) = (ours(), procfs::cpu_of_machine());
        let figures = self.load.run(self.task(proxy, self.options.seconds(), rate))?;
        let (ours_after, machine_after) = (ours(), procfs::cpu_of_machine());
        let cpu = procfs::cpu(pid).saturating_sub(peer_before);
        let others =
            machine_after.saturating_sub(machine_before).saturating_sub(ours_after.saturating_sub(ours_before));

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
}

/// Every second round goes backwards, so that no peer always comes first or always after the same one.
fn order(peers: usize, round: u32) -> Vec<usize> {
    match round % 2 {
        0 => (0..peers).collect(),
        _ => (0..peers).rev().collect(),
    }
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
