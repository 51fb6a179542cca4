//! What the bench says: tables for people, JSON for keeping.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::compare::{Outcome, Series};
use super::figures::{COLUMNS, CPU, figure, median, nginx, ratio};
use super::load::CONNECTIONS;
use super::options::Options;
use super::peers::Peer;
use super::place;

/// Said before the tables, as without it they would be misread.
const REMARKS: &str = "\
Each figure is the median over the rounds, × the median of its ratios to nginx in the same round.
CPU is user and system time of all processes of the peer; RSS counts pages that processes share once for each.
chain: key to consumer, limit per consumer, a header each way, response `server` removed. tollgate compares SHA-256 of
the key, the others look the key itself up (lua-resty-string is no Debian package); nginx cannot remove `server`.
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
        "{}, {} cores, Linux {}; {}\n{} rounds of {} s, {CONNECTIONS} keep-alive connections, 2 workers each\n{REMARKS}",
        machine.processor,
        machine.cores,
        machine.kernel,
        versions.join(", "),
        options.rounds,
        options.seconds
    ))
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
    lines.push_str(&goal(outcome));
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

fn goal(outcome: &Outcome) -> String {
    let tollgate = outcome.series.iter().find(|series| series.peer == Peer::Tollgate);
    let ratio = tollgate.zip(nginx(outcome)).and_then(|(tollgate, nginx)| ratio(tollgate, nginx, CPU));
    let goal = outcome.scenario.goal();
    ratio.map_or_else(String::new, |ratio| {
        let verdict = if ratio <= goal { "met" } else { "missed" };
        format!("  goal, CPU per request at most {goal:.2} × nginx: {verdict}\n")
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
            (outcome.scenario.name().to_owned(), Value::Object(peers.collect()))
        })
        .collect();
    let document = json!({
        "processor": machine.processor,
        "cores": machine.cores,
        "kernel": machine.kernel,
        "versions": versions,
        "rounds": options.rounds,
        "seconds": options.seconds,
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

    #[test]
    fn a_round_with_errors_is_told() {
        let mut other = series(Peer::HaProxy, &[99.0, 12.0]);
        other.samples[0].fault = Some("1 time-out".to_owned());
        assert!(row(&other, None).contains("round 1 does not count: 1 time-out"));
    }

    #[test]
    fn without_nginx_there_is_no_ratio() {
        assert!(row(&series(Peer::HaProxy, &[10.0]), None).contains('–'));
    }
}
