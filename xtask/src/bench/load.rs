//! Load: wrk with 64 keep-alive connections, its figures printed by a script in a form made for reading.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::scenarios::Scenario;
use super::{place, service};

/// Connections that wrk keeps open.
pub(super) const CONNECTIONS: u32 = 64;

/// Runs once, after the load; a `request` or `response` function would cost wrk time for each request.
const SCRIPT: &str = r#"
done = function(summary, latency)
  local errors = summary.errors
  print(string.format("figures %d %d %d %d %d %d %d %d %d", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
"#;

/// The load generator, ready to be used.
pub(super) struct Wrk {
    program: PathBuf,
    script: PathBuf,
}

/// What wrk saw in a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) requests: u64,
    pub(super) seconds: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) errors: Errors,
}

/// What went wrong in a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Errors {
    pub(super) sockets: u64,
    pub(super) timeouts: u64,
    pub(super) statuses: u64,
}

impl Wrk {
    /// Finds wrk and writes its script.
    pub(super) fn find() -> anyhow::Result<Self> {
        let program = place::program("wrk").context("wrk is missing; install the Debian package wrk")?;
        let script = place::fresh_folder("wrk")?.join("figures.lua");
        place::write(&script, SCRIPT)?;
        Ok(Self { program, script })
    }

    /// Loads the peer at `address` with the requests of the scenario.
    pub(super) fn run(&self, address: SocketAddr, scenario: Scenario, seconds: u32) -> anyhow::Result<Figures> {
        let mut args = vec!["-t1".to_owned(), format!("-c{CONNECTIONS}"), format!("-d{seconds}s")];
        args.extend(["-s".to_owned(), self.script.display().to_string()]);
        for (name, value) in scenario.headers() {
            args.extend(["-H".to_owned(), format!("{name}: {value}")]);
        }
        args.push(format!("http://{address}{}", scenario.path()));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let limit = Duration::from_secs(u64::from(seconds) + 15);
        run(&self.program, &args, limit)
    }
}

fn run(program: &Path, args: &[&str], limit: Duration) -> anyhow::Result<Figures> {
    let (status, text) = service::output(program, args, limit)?;
    ensure!(status.success(), "wrk failed ({status}):\n{text}");
    Figures::parse(&text).with_context(|| format!("wrk printed no figures; is this wrk 4? It said:\n{text}"))
}

impl Figures {
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("figures "))?;
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [requests, duration, p50, p99, connect, read, write, timeouts, statuses] = numbers.try_into().ok()?;
        Some(Self {
            requests,
            seconds: duration as f64 / 1e6,
            p50_us: p50 as f64,
            p99_us: p99 as f64,
            errors: Errors { sockets: connect + read + write, timeouts, statuses },
        })
    }
}

impl Errors {
    /// What went wrong, if anything did.
    pub(super) fn describe(self) -> Option<String> {
        let Self { sockets, timeouts, statuses } = self;
        (sockets + timeouts + statuses > 0)
            .then(|| format!("{statuses} answers other than 2xx, {sockets} socket errors, {timeouts} time-outs"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        let text = "Running 1s test\nRequests/sec:  1.0\nfigures 9000 1500000 250 1800 1 2 3 4 0\n";
        let figures = Figures::parse(text).unwrap();
        assert_eq!((figures.requests, figures.seconds, figures.p99_us), (9000, 1.5, 1800.0));
        assert_eq!(figures.errors, Errors { sockets: 6, timeouts: 4, statuses: 0 });
        assert!(figures.errors.describe().unwrap().contains("6 socket errors"));
    }

    #[test]
    fn nothing_else_is_taken_for_figures() {
        assert_eq!(Figures::parse("figures 1 2 3"), None);
        assert_eq!(Figures::parse("unable to connect"), None);
    }
}
