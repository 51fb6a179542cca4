//! What the bench says: tables for people, JSON for keeping.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::compare::{Outcome, Series};
use super::figures::{COLUMNS, CPU, Column, P99, figure, median, nginx, ratio, series_of};
use super::load::OPEN;
use super::options::Options;
use super::peers::Peer;
use super::place;
use super::scenarios::Goal;
use super::tls::{CIPHER, CURVE};

/// The goal for latencies.
const LATENCY: Goal = Goal { to: Peer::Nginx, ratio: 1.1 };

/// Said before the tables, as without it they would be misread.
const REMARKS: &str = "\
Each figure is the median over the rounds, × the median of its ratios to nginx in the same round.
CPU is user and system time of all processes of the peer; RSS counts pages that processes share once for each.
chain: key to consumer, limit per consumer, a header each way, response `server` removed. tollgate compares SHA-256 of
the key, the others look the key itself up (lua-resty-string is no Debian package); nginx cannot remove `server`;
Pingora has it all compiled in.
routes-1000: 100 hosts with 10 path prefixes each; HAProxy looks them up in a map. one-route is tollgate with one of them.
";

/// Where the figures were taken.
pub(super) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    /// In the order of the report.
    versions: Vec<(Peer, String)>,
}

impl Machine {
    /// Reads it from the running system.
    pub(super) fn look(peers: &[Peer], gateway: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let model = info.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(':')).map(|(_, model)| model.trim());
        Self {
            processor: model.unwrap_or("unknown processor").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            versions: peers.iter().map(|peer| (*peer, peer.version(gateway).unwrap_or_default())).collect(),
        }
    }
}

/// Prints text as it is.
pub(super) fn text(text: &str) -> anyhow::Result<()> {
    io::stdout().lock().write_all(text.as_bytes()).context("could not write to standard output")
}

/// Says something that is no figure.
pub(super) fn note(text: &str) {
    let _no_one_listens = writeln!(io::stderr(), "bench: {text}");
}

/// Shows on a terminal what is going on; the next call takes its place.
pub(super) fn progress(text: &str) {
    let mut terminal = io::stderr();
    if terminal.is_terminal() {
        let _no_one_listens = write!(terminal, "\r\x1b[K{text}").and_then(|()| terminal.flush());
    }
}

/// Prints where and how the figures are taken.
pub(super) fn machine(machine: &Machine, options: &Options) -> anyhow::Result<()> {
    let mut versions: Vec<&str> = machine.versions.iter().map(|(_, version)| version.as_str()).collect();
    versions.dedup();
    text(&format!(
        "{}, {} cores, Linux {}; {}\n{} rounds of {} s, {OPEN} requests open on keep-alive connections, 2 workers each\n\
         {REMARKS}",
        machine.processor,
        machine.cores,
        machine.kernel,
        versions.join(", "),
        options.rounds,
        options.seconds()
    ))?;
    let tls = options.scenarios.iter().any(|scenario| scenario.downstream().is_tls());
    let line =
        format!("TLS 1.3, {CIPHER}, {CURVE}, certificate ECDSA on P-256; h2-1k has 4 streams on each connection\n");
    if tls { text(&line) } else { Ok(()) }
}

/// Prints the table of a scenario.
pub(super) fn outcome(outcome: &Outcome) -> anyhow::Result<()> {
    let mut lines = format!("\n{:<12}", outcome.scenario.name());
    for column in &COLUMNS {
        lines.push_str(&format!("{:>12}{:>6}", column.title, "×"));
    }
    lines.push('\n');
    for series in &outcome.series {
        lines.push_str(&row(series, nginx(outcome)));
    }
    lines.push_str(&goals(outcome));
    lines.push_str(&disturbance(outcome));
    text(&lines)
}

fn row(series: &Series, nginx: Option<&Series>) -> String {
    let mut line = format!("{:<12}", series.peer.name());
    for column in &COLUMNS {
        let value = number(figure(series, column), column.decimals);
        let ratio = number(nginx.and_then(|nginx| ratio(series, nginx, column)), 2);
        line.push_str(&format!("{value:>12}{ratio:>6}"));
    }
    line.push('\n');
    for (round, sample) in series.samples.iter().enumerate() {
        if let Some(fault) = &sample.fault {
            line.push_str(&format!("  round {} does not count: {fault}\n", round + 1));
        }
    }
    line
}

/// At a fixed rate the goal is about latency, else about CPU.
fn goals(outcome: &Outcome) -> String {
    let goals = outcome.scenario.goals().iter();
    match outcome.rate {
        Some(rate) => {
            let asked = format!(
                "  {rate:.0} requests a second, 30 % of what nginx can do; latencies from sending to the end\n"
            );
            asked + &goal(outcome, "p99", P99, &LATENCY)
        }
        None => goals.map(|wanted| goal(outcome, "CPU per request", CPU, wanted)).collect(),
    }
}

fn goal(outcome: &Outcome, what: &str, column: &Column, goal: &Goal) -> String {
    let both = series_of(outcome, Peer::Tollgate).zip(series_of(outcome, goal.to));
    let ratio = both.and_then(|(tollgate, other)| ratio(tollgate, other, column));
    ratio.map_or_else(String::new, |ratio| {
        let verdict = if ratio <= goal.ratio { "met" } else { "missed" };
        format!("  goal, {what} at most {:.2} × {}: {verdict} ({ratio:.2})\n", goal.ratio, goal.to.name())
    })
}

/// The share of CPU that went elsewhere; on a busy machine the figures are worth less.
fn disturbance(outcome: &Outcome) -> String {
    let others: Vec<f64> =
        outcome.series.iter().flat_map(|series| &series.samples).map(|sample| sample.other_cores).collect();
    let highest = others.iter().copied().fold(0.0, f64::max);
    let median = median(others).unwrap_or_default();
    format!("  other work on the machine: {median:.2} cores in the median round, {highest:.2} in the worst\n")
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

/// Keeps all figures, every round included.
pub(super) fn json(file: &Path, machine: &Machine, options: &Options, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let versions: serde_json::Map<String, Value> =
        machine.versions.iter().map(|(peer, version)| (peer.name().to_owned(), json!(version))).collect();
    let scenarios: serde_json::Map<String, Value> = outcomes
        .iter()
        .map(|outcome| {
            let peers =
                outcome.series.iter().map(|series| (series.peer.name().to_owned(), kept(series, nginx(outcome))));
            let mut kept: serde_json::Map<String, Value> = peers.collect();
            if let Some(rate) = outcome.rate {
                kept.insert("rate".to_owned(), json!(rate));
            }
            (outcome.scenario.name().to_owned(), Value::Object(kept))
        })
        .collect();
    let document = json!({
        "processor": machine.processor,
        "cores": machine.cores,
        "kernel": machine.kernel,
        "versions": versions,
        "rounds": options.rounds,
        "seconds": options.seconds(),
        "scenarios": scenarios,
    });
    place::write(file, format!("{document:#}\n"))
}

fn kept(series: &Series, nginx: Option<&Series>) -> Value {
    let mut figures = serde_json::Map::new();
    for column in &COLUMNS {
        let ratio = nginx.and_then(|nginx| ratio(series, nginx, column));
        let rounds: Vec<f64> = series.samples.iter().map(column.value).collect();
        let value = json!({ "median": figure(series, column), "ratio_to_nginx": ratio, "rounds": rounds });
        figures.insert(column.key.to_owned(), value);
    }
    let faults: Vec<&Option<String>> = series.samples.iter().map(|sample| &sample.fault).collect();
    let others: Vec<f64> = series.samples.iter().map(|sample| sample.other_cores).collect();
    figures.insert("faults".to_owned(), json!(faults));
    figures.insert("other_cores".to_owned(), json!(others));
    Value::Object(figures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::tests::series;
    use crate::bench::scenarios::Scenario;

    #[test]
    fn a_round_with_errors_is_told() {
        let mut other = series(Peer::HaProxy, &[99.0, 12.0]);
        other.samples[0].fault = Some("1 time-out".to_owned());
        assert!(row(&other, None).contains("round 1 does not count: 1 time-out"));
    }

    #[test]
    fn a_goal_is_about_its_own_peer() {
        let all = [(Peer::Nginx, 50.0), (Peer::TollgateOneRoute, 100.0), (Peer::Tollgate, 102.0)];
        let series = all.map(|(peer, cpu)| series(peer, &[cpu])).into();
        let outcome = Outcome { scenario: Scenario::Routes1000, rate: None, series };
        assert!(goals(&outcome).contains("at most 1.03 × one-route: met (1.02)"));
        let paced = goals(&Outcome { rate: Some(300.0), ..outcome });
        assert!(paced.contains("300 requests a second") && paced.contains("goal, p99 at most 1.10 × nginx: met"));
    }

    #[test]
    fn without_nginx_there_is_no_ratio() {
        assert!(row(&series(Peer::HaProxy, &[10.0]), None).contains('–'));
    }
}
