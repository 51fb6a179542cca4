//! A large download through one filter that sees it piece by piece: what does it cost beyond the same download without, and
//! does the gateway's memory depend on how large it is?

mod client;
mod origin;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::figures::median;
use super::holdings::mib;
use super::options::Options;
use super::peers::{self, Gateway};
use super::{place, procfs, report};
use origin::Origin;

/// The goal for CPU, of what the same download takes without a filter.
const GOAL: f64 = 1.3;
/// What each gateway has passed on before its memory is looked at for the first time, in MiB.
const FIRST: u32 = 16;
/// How much more the peak of memory may be after the large download: an allocator gives back in pieces.
const SLACK_KIB: u64 = 4096;

/// What a gateway does with the pieces.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    Passing,
    Changing,
}

/// A gateway, and what it has used.
struct Series {
    kind: Kind,
    gateway: Gateway,
    /// The peak of its memory after the first, small download.
    first_kib: u64,
    samples: Vec<Sample>,
}

/// One download.
struct Sample {
    cpu: Duration,
    took: Duration,
}

/// Runs `cargo xtask bench download`.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let program = peers::build_gateway(options.gateway.as_deref())?;
    let module = read_module(options.module.as_deref())?;
    let origin = Origin::start()?;
    let kinds = [Kind::Plain, Kind::Passing, Kind::Changing];
    let mut all = Vec::new();
    for kind in kinds {
        all.push(Series::start(kind, &program, &module, &origin)?);
    }
    for round in 0..options.rounds {
        // Forth and back, as for peers.
        let order: Vec<usize> = if round % 2 == 0 { (0..all.len()).collect() } else { (0..all.len()).rev().collect() };
        for at in order {
            report::progress(&format!("round {} of {}, {}", round + 1, options.rounds, all[at].kind.name()));
            all[at].measure(options.mebibytes)?;
        }
    }
    report::progress("");
    report::text(&describe(options.mebibytes, options.rounds, &all.iter().map(Series::line).collect::<Vec<_>>()))
}

fn read_module(named: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let default = place::workspace()?.target_dir.join("guests/work.wasm");
    let path = named.unwrap_or(&default);
    fs::read(path).with_context(|| {
        format!("no filter at {}; run `cargo xtask filters`, or name the guest `work` with --module", path.display())
    })
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "without a filter",
            Self::Passing => "each piece looked at",
            Self::Changing => "each piece changed",
        }
    }

    /// The configuration of the guest, if it takes part.
    fn treatment(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Passing => Some("pass"),
            Self::Changing => Some("change"),
        }
    }
}

impl Series {
    fn start(kind: Kind, program: &Path, module: &[u8], origin: &Origin) -> anyhow::Result<Self> {
        let folder = place::fresh_folder(&format!("download-{}", kind.treatment().unwrap_or("plain")))?;
        let policies = folder.join("policies");
        fs::create_dir_all(&policies)?;
        if let Some(treatment) = kind.treatment() {
            place::write(&policies.join("work.wasm"), module)?;
            place::write(&policies.join("work.toml"), format!("[config]\nbody = \"{treatment}\"\n"))?;
        }
        let gateway = Gateway::start(program, &folder, &policies, origin.address)?;
        let mut series = Self { kind, gateway, first_kib: 0, samples: Vec::new() };
        series.download(FIRST)?;
        series.first_kib = procfs::peak_kib(series.gateway.service.pid());
        Ok(series)
    }

    fn measure(&mut self, mebibytes: u32) -> anyhow::Result<()> {
        let pid = self.gateway.service.pid();
        let (cpu, start) = (procfs::cpu(pid), Instant::now());
        self.download(mebibytes)?;
        let (cpu, took) = (procfs::cpu(pid).saturating_sub(cpu), start.elapsed());
        self.samples.push(Sample { cpu, took });
        Ok(())
    }

    /// Downloads, and makes sure that the filter has done its work.
    fn download(&self, mebibytes: u32) -> anyhow::Result<()> {
        let seen = client::get(self.gateway.address, &format!("/{mebibytes}")).with_context(|| {
            format!(
                "the download {} failed; the gateway's last words:\n{}",
                self.kind.name(),
                self.gateway.service.last_words()
            )
        })?;
        let expected = u64::from(mebibytes) << 20;
        ensure!(seen.length == expected, "{} bytes instead of {expected} {}", seen.length, self.kind.name());
        ensure!(seen.is_filtered == (self.kind != Kind::Plain), "the filter was not asked, or was where there is none");
        ensure!((seen.first == Some(b'!')) == (self.kind == Kind::Changing), "the content is not as it should be");
        Ok(())
    }

    fn line(&self) -> Line {
        Line {
            name: self.kind.name(),
            cpu: self.samples.iter().map(|sample| sample.cpu.as_secs_f64()).collect(),
            took: self.samples.iter().map(|sample| sample.took.as_secs_f64()).collect(),
            first_kib: self.first_kib,
            peak_kib: procfs::peak_kib(self.gateway.service.pid()),
        }
    }
}

/// What is told of each; seconds by round.
struct Line {
    name: &'static str,
    cpu: Vec<f64>,
    took: Vec<f64>,
    first_kib: u64,
    peak_kib: u64,
}

/// All lines, the one without a filter first.
fn describe(mebibytes: u32, rounds: u32, lines: &[Line]) -> String {
    let gib = f64::from(mebibytes) / 1024.0;
    let mut text = format!(
        "{mebibytes} MiB, one download at a time, {rounds} rounds of each, 2 workers; medians, × the median of the ratios in \
         the same round\n{:<24}{:>14}{:>7}{:>10}{:>22}{:>12}\n",
        "", "CPU ms a GiB", "×", "GiB/s", "peak MiB after 16 MiB", "after all"
    );
    for line in lines {
        let per_gib = median(line.cpu.clone()).unwrap_or(f64::NAN) * 1e3 / gib;
        let rate = gib / median(line.took.clone()).unwrap_or(f64::NAN);
        text.push_str(&format!(
            "{:<24}{per_gib:>14.0}{:>7.2}{rate:>10.2}{:>22.1}{:>12.1}\n",
            line.name,
            ratio(line, &lines[0]),
            mib(line.first_kib),
            mib(line.peak_kib)
        ));
    }
    for line in lines.iter().skip(1) {
        let ratio = ratio(line, &lines[0]);
        let verdict = if ratio <= GOAL { "met" } else { "missed" };
        text.push_str(&format!("  goal, CPU {} at most {GOAL:.2} ×: {verdict} ({ratio:.2})\n", line.name));
    }
    let grown = lines.iter().find(|line| line.peak_kib > line.first_kib + SLACK_KIB);
    text.push_str(&match grown {
        None => "  goal, memory does not depend on the length: met\n".to_owned(),
        Some(line) => format!("  goal, memory does not depend on the length: missed {}\n", line.name),
    });
    text
}

fn ratio(line: &Line, plain: &Line) -> f64 {
    median(line.cpu.iter().zip(&plain.cpu).map(|(cpu, plain)| cpu / plain).collect()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &'static str, cpu: [f64; 3], peak_kib: u64) -> Line {
        Line { name, cpu: cpu.into(), took: vec![0.5; 3], first_kib: 30 << 10, peak_kib }
    }

    #[test]
    fn goals_are_about_ratios_of_the_same_round_and_about_growth() {
        let plain = line("plain", [1.0, 2.0, 1.0], 31 << 10);
        let text = describe(512, 3, &[plain, line("dear", [1.5, 2.2, 1.4], 40 << 10)]);
        assert!(text.contains("goal, CPU dear at most 1.30 ×: missed (1.40)"), "{text}");
        assert!(text.contains("memory does not depend on the length: missed dear"), "{text}");
        assert!(text.contains("2000   1.00      1.00"), "{text}");
    }

    #[test]
    fn what_is_cheap_and_stays_small_meets_them() {
        let plain = line("plain", [1.0, 2.0, 1.0], 31 << 10);
        let text = describe(512, 3, &[plain, line("cheap", [1.1, 2.2, 1.4], 34 << 10)]);
        assert_eq!(text.matches(": met").count(), 2, "{text}");
    }
}
