//! h2load, which logs every request: percentiles are exact.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::{Errors, Figures, OPEN, Task};
use crate::bench::scenarios::Downstream;
use crate::bench::tls::{CIPHER, CURVE};
use crate::bench::{figures, place, service};

/// Requests that are open on an HTTP/2 connection.
const STREAMS: u32 = 4;
/// At a fixed rate: so long after the first request latencies begin to count.
const WARM_UP_US: u64 = 1_000_000;
/// Between two new connections at a fixed rate. Each sends with the same period from then on; were all opened at once,
/// their requests would come in bursts of 64 rather than spread.
const SPREAD: &str = "7ms";

/// h2load, ready to be used.
pub(super) struct H2load {
    program: PathBuf,
    log: PathBuf,
}

impl H2load {
    /// Finds h2load.
    pub(super) fn find() -> anyhow::Result<Self> {
        let program =
            place::program("h2load").context("h2load is missing; install the Debian package nghttp2-client")?;
        Ok(Self { program, log: place::fresh_folder("h2load")?.join("requests.tsv") })
    }

    /// As many requests as there can be, or at the rate of the task.
    pub(super) fn run(&self, task: Task) -> anyhow::Result<Figures> {
        // h2load appends.
        if self.log.exists() {
            fs::remove_file(&self.log).with_context(|| format!("could not remove {}", self.log.display()))?;
        }
        let args = self.args(task);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let limit = Duration::from_secs(u64::from(task.seconds) + 20);
        let (status, text) = service::output(&self.program, &args, limit)?;
        ensure!(status.success(), "h2load failed ({status}):\n{text}");
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let warm_up = task.rate.map_or(0, |_| WARM_UP_US);
        summary(&log, warm_up).with_context(|| format!("h2load logged no request; it said:\n{text}"))
    }

    fn args(&self, task: Task) -> Vec<String> {
        let mut args = vec!["-t1".to_owned(), format!("--log-file={}", self.log.display())];
        args.extend([format!("--tls13-ciphers={CIPHER}"), format!("--groups={CURVE}")]);
        let (clients, streams) = match task.scenario.downstream() {
            Downstream::H2 => (OPEN / STREAMS, STREAMS),
            Downstream::Clear | Downstream::Tls => {
                args.push("--h1".to_owned());
                (OPEN, 1)
            }
        };
        args.extend([format!("-c{clients}"), format!("-m{streams}")]);
        match task.rate {
            None => args.push(format!("-D{}", task.seconds)),
            Some(rate) => {
                let requests = rate * (f64::from(task.seconds) + WARM_UP_US as f64 / 1e6);
                args.extend([format!("-n{requests:.0}"), format!("--rps={:.3}", rate / f64::from(clients))]);
                args.extend(["-r1".to_owned(), format!("--rate-period={SPREAD}")]);
            }
        }
        for (name, value) in task.scenario.headers() {
            // A field `host` would come besides the one that h2load sends.
            let name = if *name == "host" { ":authority" } else { name };
            args.extend(["-H".to_owned(), format!("{name}: {value}")]);
        }
        args.push(task.url());
        args
    }
}

/// One line of the log: start, status, duration. A stream that failed has status -1.
fn request(line: &str) -> Option<(u64, i32, f64)> {
    let mut columns = line.split('\t');
    Some((columns.next()?.parse().ok()?, columns.next()?.parse().ok()?, columns.next()?.parse().ok()?))
}

fn summary(log: &str, warm_up_us: u64) -> Option<Figures> {
    let requests: Vec<(u64, i32, f64)> = log.lines().map(request).collect::<Option<_>>()?;
    let first = requests.iter().map(|(start, ..)| *start).min()?;
    let end = requests.iter().map(|(start, _, took)| *start + *took as u64).max()?;
    let counted = requests.iter().filter(|(start, ..)| *start >= first + warm_up_us);
    let times: Vec<f64> = counted.map(|(.., took)| *took).collect();
    let count = |wrong: fn(i32) -> bool| requests.iter().filter(|(_, status, _)| wrong(*status)).count() as u64;
    Some(Figures {
        requests: requests.len() as u64,
        seconds: end.saturating_sub(first).max(1) as f64 / 1e6,
        p50_us: figures::percentile(&times, 50.0)?,
        p99_us: figures::percentile(&times, 99.0)?,
        errors: Errors {
            sockets: count(|status| status < 0),
            timeouts: 0,
            statuses: count(|status| status >= 0 && !(200..300).contains(&status)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_counts() {
        let log: String = (0..100).map(|number| format!("{}\t200\t{}\n", 1000 + number, 100 - number)).collect();
        let figures = summary(&log, 0).unwrap();
        assert_eq!((figures.requests, figures.p50_us, figures.p99_us), (100, 50.0, 99.0));
        assert!((figures.seconds - 100e-6).abs() < 1e-9);
    }

    #[test]
    fn latencies_of_the_warm_up_do_not_count() {
        let figures = summary("1000\t200\t900\n3000\t200\t7\n3001\t200\t8\n", 2000).unwrap();
        assert_eq!((figures.requests, figures.p50_us, figures.p99_us), (3, 7.0, 8.0));
    }

    #[test]
    fn failures_are_told_apart() {
        let figures = summary("1\t200\t1\n2\t-1\t1\n3\t503\t1\n4\t401\t1\n", 0).unwrap();
        assert_eq!(figures.errors, Errors { sockets: 1, timeouts: 0, statuses: 2 });
    }

    #[test]
    fn nothing_else_is_taken_for_a_log() {
        assert_eq!(summary("", 0), None);
        assert_eq!(summary("1\t200\n", 0), None);
    }
}
