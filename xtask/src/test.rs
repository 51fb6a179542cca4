//! `cargo xtask test`: the one door to the tests, for people and CI alike.

use anyhow::Result;

use crate::guests::{self, Group};
use crate::peers;
use crate::process::{self, say};
use crate::workspace::Workspace;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let workspace = Workspace::own()?;
    guests::build(&workspace, &[Group::FILTERS, Group::GUESTS, Group::EXAMPLES])?;
    peers::prepare(&workspace)?;
    say("building and running the tests (first run: three to six minutes on two cores)");
    process::run(process::cargo().arg("test").args(scope(args)).args(args).current_dir(&workspace.root))
}

/// The whole workspace, unless the arguments name packages.
fn scope(args: &[String]) -> Option<&'static str> {
    let own = args.iter().take_while(|arg| *arg != "--");
    let named = own.into_iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"));
    (!named).then_some("--workspace")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn tests_the_whole_workspace_unless_packages_are_named() {
        assert_eq!(scope(&args("")), Some("--workspace"));
        assert_eq!(scope(&args("reload -- --nocapture -p")), Some("--workspace"));
        assert_eq!(scope(&args("-p tollgate reload")), None);
        assert_eq!(scope(&args("--package=tollgate")), None);
    }
}
