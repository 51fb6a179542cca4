//! `cargo xtask fuzz`: libFuzzer drives the fuzz targets for as long as one likes. Only the gateway and its targets are built
//! for that: all they depend on is there from other builds (`tests/fuzz/rustc`).

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{self, say};
use crate::workspace::Workspace;

/// How long each target runs by default.
const SECONDS: u64 = 20;

/// How long one input may take, in seconds, and what the program may have in memory, in MiB.
const LIMITS: [&str; 2] = ["-timeout=20", "-rss_limit_mb=2048"];

pub(crate) fn run(args: &[String]) -> Result<()> {
    let wanted = Wanted::of(args)?;
    let workspace = Workspace::own()?;
    let known = targets(&workspace.root)?;
    if let Some(unknown) = wanted.targets.iter().find(|target| !known.contains(target)) {
        bail!("`{unknown}` is not a target: they are {}", known.join(", "));
    }
    let folder = workspace.target_dir.join("fuzz");
    seeds(&workspace.root, &folder.join("seeds"))?;
    build(&workspace.root)?;
    let targets = if wanted.targets.is_empty() { &known } else { &wanted.targets };
    say(&format!(
        "{} targets for {} s each; they keep what they find in {}",
        targets.len(),
        wanted.seconds,
        folder.display()
    ));
    for target in targets {
        let program = workspace.target_dir.join("debug").join(target);
        fuzz(&program, target, &folder, wanted.seconds)?;
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
struct Wanted {
    seconds: u64,
    /// All of them if empty.
    targets: Vec<String>,
}

impl Wanted {
    fn of(args: &[String]) -> Result<Self> {
        let mut wanted = Self { seconds: SECONDS, targets: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--seconds" => {
                    let seconds = args.next().context("--seconds is followed by a number")?;
                    wanted.seconds =
                        seconds.parse().with_context(|| format!("`{seconds}` is not a number of seconds"))?;
                }
                flag if flag.starts_with('-') => bail!("usage: cargo xtask fuzz [TARGET…] [--seconds N]"),
                target => wanted.targets.push(target.to_owned()),
            }
        }
        Ok(wanted)
    }
}

/// All targets, as their files are called.
fn targets(root: &Path) -> Result<Vec<String>> {
    let files = fs::read_dir(root.join("tests/fuzz/fuzz_targets")).context("the fuzz targets cannot be listed")?;
    let names = files.map(|file| Ok(file?.path().file_stem().unwrap_or_default().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// What the targets begin with is written by the stories that drive them by chance.
fn seeds(root: &Path, folder: &Path) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["test", "-q", "-p", "tollgate-tests", "--test", "fuzz"]);
    process::run(cargo.env("TOLLGATE_FUZZ_SEEDS", folder).current_dir(root))
}

fn build(root: &Path) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["build", "-p", "tollgate-fuzz", "--bins"]);
    process::run(cargo.env("RUSTC_WORKSPACE_WRAPPER", root.join("tests/fuzz/rustc")).current_dir(root))
}

/// Runs one target. What it has tried that led somewhere is kept, and is where the next run begins.
fn fuzz(program: &Path, target: &str, folder: &Path, seconds: u64) -> Result<()> {
    let corpus = folder.join("corpus").join(target);
    let found = folder.join("found");
    fs::create_dir_all(&corpus)
        .and_then(|()| fs::create_dir_all(&found))
        .context("there is no place for the corpus")?;
    let log = folder.join(format!("{target}.log"));
    let status = Command::new(program)
        .args([&corpus, &folder.join("seeds").join(target)])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}", found.join(format!("{target}-")).display()))
        .args(LIMITS)
        .arg("-print_final_stats=1")
        .stderr(File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?)
        .status()
        .with_context(|| format!("could not start `{}`", program.display()))?;
    let text = fs::read_to_string(&log).unwrap_or_default();
    if !status.success() {
        let last: Vec<&str> = text.lines().rev().take(60).collect();
        last.iter().rev().for_each(|line| eprintln!("{line}"));
        bail!("{target} has failed ({status}): see {}, and make what it found a case", log.display());
    }
    say(&format!("{target}: {}", summary(&text)));
    Ok(())
}

/// How often the target ran, and how much of the code has been seen.
fn summary(log: &str) -> String {
    let executions = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let coverage = log.lines().rev().find_map(|line| line.split(" cov: ").nth(1)?.split(' ').next());
    format!("{} rounds, {} edges", executions.unwrap_or("no").trim(), coverage.unwrap_or("no"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(line: &str) -> Result<Wanted> {
        Wanted::of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn seconds_are_a_number_and_targets_are_named() {
        assert_eq!(wanted("").unwrap(), Wanted { seconds: SECONDS, targets: Vec::new() });
        let both = wanted("paths --seconds 3 requests").unwrap();
        assert_eq!((both.seconds, both.targets), (3, vec!["paths".to_owned(), "requests".to_owned()]));
        for wrong in ["--seconds", "--seconds x", "--second 3"] {
            assert!(wanted(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_log_says_what_was_done() {
        let log = "#2\tINITED cov: 12 ft: 13 corp: 1/1b\n#9\tDONE   cov: 345 ft: 400 corp: 2\n\
                   stat::number_of_executed_units: 9\n";
        assert_eq!(summary(log), "9 rounds, 345 edges");
    }
}
