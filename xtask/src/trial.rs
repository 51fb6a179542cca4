//! `cargo xtask trial`: what a bad canary does under load, and whether a thousand changes leave anything behind.

use anyhow::{Context, Result, bail};

use crate::process::{self, say};
use crate::workspace::Workspace;

/// How many by default.
const TIMES: usize = 20;
const SWAPS: usize = 1_000;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let (times, swaps) = counts(args)?;
    let workspace = Workspace::own()?;
    say(&format!("{times} canaries that fault on a tenth of their exchanges, under load"));
    story(&workspace, "trial_load", "", ("TOLLGATE_TRIALS", times))?;
    say(&format!("{swaps} changes under load; nothing may fail, and nothing may be left behind"));
    story(&workspace, "reload", "many_times::", ("TOLLGATE_SWAPS", swaps))
}

fn story(workspace: &Workspace, story: &str, filter: &str, (name, count): (&str, usize)) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["test", "-p", "tollgate-tests", "--test", story, "--", "--nocapture", filter]);
    process::run(cargo.env(name, count.to_string()).current_dir(&workspace.root))
}

fn counts(args: &[String]) -> Result<(usize, usize)> {
    let (mut times, mut swaps) = (TIMES, SWAPS);
    for pair in args.chunks(2) {
        let [flag, count] = pair else { bail!("usage: cargo xtask trial [--times N] [--swaps N]") };
        let count = count.parse().with_context(|| format!("`{count}` is not a number"))?;
        match flag.as_str() {
            "--times" => times = count,
            "--swaps" => swaps = count,
            _ => bail!("usage: cargo xtask trial [--times N] [--swaps N]"),
        }
    }
    Ok((times, swaps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_numbers() {
        let args = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(counts(&args("")).unwrap(), (TIMES, SWAPS));
        assert_eq!(counts(&args("--swaps 3 --times 2")).unwrap(), (2, 3));
        for wrong in ["--times", "--times x", "3", "--crashes 3"] {
            assert!(counts(&args(wrong)).is_err(), "{wrong}");
        }
    }
}
