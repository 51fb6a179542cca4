//! The command line of the bench.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};

use super::peers::Peer;
use super::scenarios::Scenario;

/// What `cargo xtask bench --help` prints.
pub(super) const HELP: &str = "\
cargo xtask bench [OPTIONS]              the gateway and its peers as reverse proxies, interleaved
cargo xtask bench latency [OPTIONS]      the same at 30 % of nginx's highest rate, measured first: p50 and p99
cargo xtask bench download [OPTIONS]     CPU and memory of the gateway for a large download through a body filter
cargo xtask bench reload [OPTIONS]       milliseconds from a changed file to the first request on the new version
cargo xtask bench idle [OPTIONS]         memory and wake-ups of the gateway without traffic
cargo xtask bench connections [OPTIONS]  memory of the gateway with idle keep-alive connections
cargo xtask bench waiting [OPTIONS]      memory of the gateway with exchanges that wait for the upstream
cargo xtask bench soak [OPTIONS]         memory and descriptors of the gateway while connections come and go
cargo xtask bench hooks [ARGS]           cost of a hook, of a fresh instance, of bodies and of imports (cargo bench of the
                                         gateway)
cargo xtask bench languages --commands   how long the way from `filter new` to a live filter is in each language
cargo xtask bench languages [ARGS]       what a filter costs in each language: size, compile time, start, memory and a hook

  --scenario X     plain-1k, body-100k, chain, chain-exchange, tls-1k, h2-1k or routes-1000; may be given more than
                   once (default: all; latency: plain-1k)
  --peer X         nginx, nginx-again, nginx-lua, haproxy, pingora or tollgate; may be given more than once (default:
                   all but nginx-again, which is nginx once more and shows how far two figures of the same thing
                   differ; pingora only if it can be built). With routes-1000, tollgate brings one-route along
  --rounds N       rounds of each peer (default 5)
  --seconds N      seconds of a round (default 4; soak: of all, default 600)
  --skip-missing   leave out peers that are not installed
  --json FILE      keep the figures
  --gateway PATH   the gateway to measure (default: build target/release/tollgate)
  --module PATH    reload: the filter that is changed (default: target/filters/headers.wasm); download: the one that
                   the download goes through (default: target/guests/work.wasm)
  --mebibytes N    download: how large it is (default 1024)
  --changes N      reload: changes of each kind (default 100)
  --connections N  connections, waiting: how many (default 10000)
";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    /// Nothing; the help is printed.
    Help,
    /// The gateway against its peers.
    Compare,
    /// A large download through a body filter.
    Download,
    /// Changed file to first request.
    Reload,
    /// The gateway and its peers at a fixed rate.
    Latency,
    /// The gateway without traffic.
    Idle,
    /// The gateway with idle connections.
    Connections,
    /// The gateway with exchanges that wait.
    Waiting,
    /// The gateway with connections that come and go.
    Soak,
    /// Micro-figures.
    Hooks,
    /// The same filter in each language.
    Languages,
}

/// The command line, read.
pub(super) struct Options {
    pub(super) mode: Mode,
    pub(super) scenarios: Vec<Scenario>,
    pub(super) peers: Vec<Peer>,
    /// Whether somebody chose the peers.
    pub(super) peers_named: bool,
    pub(super) rounds: u32,
    seconds: Option<u32>,
    pub(super) changes: u32,
    pub(super) connections: u32,
    pub(super) mebibytes: u32,
    pub(super) skip_missing: bool,
    pub(super) json: Option<PathBuf>,
    pub(super) gateway: Option<PathBuf>,
    pub(super) module: Option<PathBuf>,
    /// For `hooks` and `languages`: handed on as it is.
    pub(super) rest: Vec<String>,
}

impl Options {
    /// Reads the words after `cargo xtask bench`.
    pub(super) fn parse(args: &[String]) -> anyhow::Result<Self> {
        let mut options = Self::default();
        let mut words = args.iter();
        match args.first().map(String::as_str) {
            Some("download") => options.mode = Mode::Download,
            Some("reload") => options.mode = Mode::Reload,
            Some("idle") => options.mode = Mode::Idle,
            Some("latency") => options.mode = Mode::Latency,
            Some("connections") => options.mode = Mode::Connections,
            Some("waiting") => options.mode = Mode::Waiting,
            Some("soak") => options.mode = Mode::Soak,
            Some(micro @ ("hooks" | "languages")) => {
                options.mode = if micro == "hooks" { Mode::Hooks } else { Mode::Languages };
                options.rest = args[1..].to_vec();
                return Ok(options);
            }
            _ => {}
        }
        if options.mode != Mode::Compare {
            words.next();
        }
        while let Some(word) = words.next() {
            options.take(word, &mut words)?;
        }
        options.fill_in();
        Ok(options)
    }

    fn take<'a>(&mut self, word: &str, words: &mut impl Iterator<Item = &'a String>) -> anyhow::Result<()> {
        let mut value = || words.next().map(String::as_str).with_context(|| format!("{word} needs a value"));
        match word {
            "--scenario" => self.scenarios.push(Scenario::parse(value()?)?),
            "--peer" => self.peers.push(Peer::parse(value()?)?),
            "--rounds" => self.rounds = count(word, value()?)?,
            "--seconds" => self.seconds = Some(count(word, value()?)?),
            "--connections" => self.connections = count(word, value()?)?,
            "--mebibytes" => self.mebibytes = count(word, value()?)?,
            "--changes" => self.changes = count(word, value()?)?,
            "--json" => self.json = Some(value()?.into()),
            "--gateway" => self.gateway = Some(value()?.into()),
            "--module" => self.module = Some(value()?.into()),
            "--skip-missing" => self.skip_missing = true,
            "--help" | "-h" | "help" => self.mode = Mode::Help,
            other => bail!("unknown word `{other}`; `cargo xtask bench --help` lists what there is"),
        }
        Ok(())
    }

    /// How long a round takes, or the whole of `soak`.
    pub(super) fn seconds(&self) -> u32 {
        self.seconds.unwrap_or(if self.mode == Mode::Soak { 600 } else { 4 })
    }

    fn fill_in(&mut self) {
        if self.scenarios.is_empty() {
            self.scenarios = match self.mode {
                Mode::Latency => vec![Scenario::Plain1k],
                _ => Scenario::ALL.to_vec(),
            };
        }
        self.peers_named = !self.peers.is_empty();
        if !self.peers_named {
            self.peers = Peer::USUAL.to_vec();
        }
        // The goal of the routes is about one of them.
        if self.peers.contains(&Peer::Tollgate) && !self.peers.contains(&Peer::TollgateOneRoute) {
            self.peers.push(Peer::TollgateOneRoute);
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Compare,
            scenarios: Vec::new(),
            peers: Vec::new(),
            peers_named: false,
            rounds: 5,
            seconds: None,
            changes: 100,
            connections: 10_000,
            mebibytes: 1024,
            skip_missing: false,
            json: None,
            gateway: None,
            module: None,
            rest: Vec::new(),
        }
    }
}

/// A count from 1 to 10 000: the bench is bounded in time.
fn count(word: &str, value: &str) -> anyhow::Result<u32> {
    let number: u32 = value.parse().with_context(|| format!("{word} needs a whole number, not `{value}`"))?;
    ensure!((1..=10_000).contains(&number), "{word} must be from 1 to 10000, not {number}");
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> anyhow::Result<Options> {
        Options::parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn nothing_means_everything() {
        let options = parse("").unwrap();
        assert_eq!(options.mode, Mode::Compare);
        assert_eq!((options.rounds, options.seconds()), (5, 4));
        assert_eq!(options.scenarios, Scenario::ALL);
        assert!(options.peers.contains(&Peer::Tollgate) && !options.peers.contains(&Peer::NginxAgain));
    }

    #[test]
    fn chosen_scenarios_and_peers_add_up() {
        let options = parse("--scenario chain --peer nginx --peer haproxy --rounds 2").unwrap();
        assert_eq!(options.scenarios, [Scenario::Chain]);
        assert_eq!(options.peers, [Peer::Nginx, Peer::HaProxy]);
        assert_eq!(options.rounds, 2);
    }

    #[test]
    fn one_route_comes_with_the_gateway() {
        assert_eq!(parse("--peer tollgate").unwrap().peers, [Peer::Tollgate, Peer::TollgateOneRoute]);
    }

    #[test]
    fn a_mode_comes_first() {
        assert_eq!(parse("reload --changes 7").unwrap().changes, 7);
        assert_eq!(parse("download --mebibytes 9").unwrap().mebibytes, 9);
        assert_eq!(parse("soak").unwrap().seconds(), 600);
        assert_eq!(parse("soak --seconds 20").unwrap().seconds(), 20);
        assert_eq!(parse("latency").unwrap().scenarios, [Scenario::Plain1k]);
        assert_eq!(parse("connections --connections 9").unwrap().connections, 9);
        assert_eq!(parse("waiting --connections 9").unwrap().mode, Mode::Waiting);
        assert_eq!(parse("idle --help").unwrap().mode, Mode::Help);
        assert_eq!(parse("hooks -- --quick").unwrap().rest, ["--", "--quick"]);
        assert_eq!(parse("languages --profile dev").unwrap().mode, Mode::Languages);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, part) in [
            ("--rounds", "needs a value"),
            ("--rounds 0", "from 1 to 10000"),
            ("--rounds x", "whole number"),
            ("--speed 3", "--help"),
            ("--peer caddy", "haproxy"),
            ("--scenario big", "body-100k"),
        ] {
            let message = parse(line).err().unwrap().to_string();
            assert!(message.contains(part), "{line}: {message}");
        }
    }
}
