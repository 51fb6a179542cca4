//! wrk with keep-alive connections, its figures printed by a script in a form made for reading.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::{Errors, Figures, OPEN, Task};
use crate::bench::tls::Certificate;
use crate::bench::{place, service};

/// Runs once, after the load; a `request` or `response` function would cost wrk time for each request.
const SCRIPT: &str = r#"
done = function(summary, latency)
  local errors = summary.errors
  print(string.format("figures %d %d %d %d %d %d %d %d %d", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
"#;

/// wrk, ready to be used.
pub(super) struct Wrk {
    program: PathBuf,
    script: PathBuf,
}

impl Wrk {
    /// Finds wrk and writes its script.
    pub(super) fn find() -> anyhow::Result<Self> {
        let program = place::program("wrk").context("wrk is missing; install the Debian package wrk")?;
        let script = place::fresh_folder("wrk")?.join("figures.lua");
        place::write(&script, SCRIPT)?;
        Ok(Self { program, script })
    }

    /// As many requests as there can be.
    pub(super) fn run(&self, task: Task, certificate: &Certificate) -> anyhow::Result<Figures> {
        let mut args = vec!["-t1".to_owned(), format!("-c{OPEN}"), format!("-d{}s", task.seconds)];
        args.extend(["-s".to_owned(), self.script.display().to_string()]);
        for (name, value) in task.scenario.headers() {
            // Any other spelling would come besides the one that wrk sends.
            let name = if *name == "host" { "Host" } else { name };
            args.extend(["-H".to_owned(), format!("{name}: {value}")]);
        }
        args.push(task.url());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let limit = Duration::from_secs(u64::from(task.seconds) + 15);
        // wrk has no flags for TLS.
        let environment = [("OPENSSL_CONF", certificate.openssl_conf.as_path())];
        let (status, text) = service::output_with(&self.program, &args, &environment, limit)?;
        ensure!(status.success(), "wrk failed ({status}):\n{text}");
        parse(&text).with_context(|| format!("wrk printed no figures; is this wrk 4? It said:\n{text}"))
    }
}

fn parse(text: &str) -> Option<Figures> {
    let line = text.lines().find_map(|line| line.strip_prefix("figures "))?;
    let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [requests, duration, p50, p99, connect, read, write, timeouts, statuses] = numbers.try_into().ok()?;
    Some(Figures {
        requests,
        seconds: duration as f64 / 1e6,
        p50_us: p50 as f64,
        p99_us: p99 as f64,
        errors: Errors { sockets: connect + read + write, timeouts, statuses },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        let text = "Running 1s test\nRequests/sec:  1.0\nfigures 9000 1500000 250 1800 1 2 3 4 0\n";
        let figures = parse(text).unwrap();
        assert_eq!((figures.requests, figures.seconds, figures.p99_us), (9000, 1.5, 1800.0));
        assert_eq!(figures.errors, Errors { sockets: 6, timeouts: 4, statuses: 0 });
        assert!(figures.errors.describe().unwrap().contains("6 socket errors"));
    }

    #[test]
    fn nothing_else_is_taken_for_figures() {
        assert_eq!(parse("figures 1 2 3"), None);
        assert_eq!(parse("unable to connect"), None);
    }
}
