//! `cargo xtask peers`: the programs of Python that the stories talk to, in an environment of their own below `target/`.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{self, say};
use crate::workspace::Workspace;

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(unknown) = args.first() {
        bail!("`peers` takes no argument, but was given `{unknown}`");
    }
    prepare(&Workspace::own()?)
}

/// Installs what `tests/peers/requirements.txt` names, unless that is there already.
pub(crate) fn prepare(workspace: &Workspace) -> Result<()> {
    let requirements = workspace.root.join("tests/peers/requirements.txt");
    let wanted =
        fs::read_to_string(&requirements).with_context(|| format!("could not read {}", requirements.display()))?;
    let environment = workspace.target_dir.join("peers");
    let installed = environment.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say("installing the peers of the stories from PyPI (once: about a minute)");
    let python = "install the packages `python3` and `python3-venv`";
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment)).context(python)?;
    let pip = environment.join("bin").join("pip");
    process::run(
        Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements),
    )?;
    fs::write(&installed, wanted).with_context(|| format!("could not write {}", installed.display()))
}
