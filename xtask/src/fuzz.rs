//! `cargo xtask fuzz`: the fuzz targets for as long as one likes.

use anyhow::{Context, Result, bail};

use crate::process::{self, say};
use crate::workspace::Workspace;

/// How long each target runs by default.
const SECONDS: u64 = 20;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let seconds = seconds(args)?;
    let workspace = Workspace::own()?;
    say(&format!(
        "each target for {seconds} s; what one fails on is printed so that it can become a case of the corpus"
    ));
    let mut cargo = process::cargo();
    cargo.args(["test", "-p", "tollgate-tests", "--test", "fuzz", "--", "--nocapture"]);
    process::run(cargo.env("TOLLGATE_FUZZ_SECONDS", seconds.to_string()).current_dir(&workspace.root))
}

fn seconds(args: &[String]) -> Result<u64> {
    match args {
        [] => Ok(SECONDS),
        [flag, seconds] if flag == "--seconds" => {
            seconds.parse().with_context(|| format!("`{seconds}` is not a number of seconds"))
        }
        _ => bail!("usage: cargo xtask fuzz [--seconds N]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_a_number() {
        let args = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(seconds(&args("")).unwrap(), SECONDS);
        assert_eq!(seconds(&args("--seconds 3")).unwrap(), 3);
        for wrong in ["--seconds", "--seconds x", "3", "--seconds 3 4"] {
            assert!(seconds(&args(wrong)).is_err(), "{wrong}");
        }
    }
}
