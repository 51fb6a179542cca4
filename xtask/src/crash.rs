//! `cargo xtask crash`: the program killed again and again, at any moment.

use anyhow::{Context, Result, bail};

use crate::process::{self, say};
use crate::workspace::Workspace;

/// How often by default.
const TIMES: usize = 500;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let times = times(args)?;
    let workspace = Workspace::own()?;
    say(&format!("{times} times; each time it has to start again and to serve a complete version"));
    let mut cargo = process::cargo();
    cargo.args(["test", "-p", "tollgate-tests", "--test", "deploy_crash", "--", "--nocapture"]);
    process::run(cargo.env("TOLLGATE_CRASHES", times.to_string()).current_dir(&workspace.root))
}

fn times(args: &[String]) -> Result<usize> {
    match args {
        [] => Ok(TIMES),
        [flag, times] if flag == "--times" => times.parse().with_context(|| format!("`{times}` is not a number")),
        _ => bail!("usage: cargo xtask crash [--times N]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number() {
        let args = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(times(&args("")).unwrap(), TIMES);
        assert_eq!(times(&args("--times 3")).unwrap(), 3);
        for wrong in ["--times", "--times x", "3"] {
            assert!(times(&args(wrong)).is_err(), "{wrong}");
        }
    }
}
