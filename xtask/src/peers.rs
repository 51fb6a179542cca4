//! `cargo xtask peers`: what the stories need of PyPI and npm, in an environment of its own below `target/`: programs that they talk to, and
//! the tools of the languages that filters are written in.

use std::fs;
use std::path::Path;
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

/// Installs what `tests/peers/requirements.txt` and `package-lock.json` of `examples/js` and `examples/assemblyscript` name, unless that is there already.
pub(crate) fn prepare(workspace: &Workspace) -> Result<()> {
    prepare_python(workspace)?;
    prepare_packages(workspace, "examples/js", "componentize-js from npm (once: half a minute, 400 MB)")?;
    prepare_packages(workspace, "examples/assemblyscript", "assemblyscript from npm (once: some seconds, 100 MB)")
}

fn prepare_python(workspace: &Workspace) -> Result<()> {
    let requirements = workspace.root.join("tests/peers/requirements.txt");
    let wanted = read(&requirements)?;
    let environment = workspace.target_dir.join("peers");
    let installed = environment.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say("installing the peers of the stories from PyPI (once: one to two minutes, a gigabyte)");
    let python = "install the packages `python3` and `python3-venv`";
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment)).context(python)?;
    let pip = environment.join("bin").join("pip");
    process::run(
        Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements),
    )?;
    write(&installed, &wanted)
}

/// Packages for npm lie beside the examples, where node looks for them.
fn prepare_packages(workspace: &Workspace, examples: &str, what: &str) -> Result<()> {
    let project = workspace.root.join(examples);
    let lock = project.join("package-lock.json");
    let wanted = read(&lock)?;
    let installed = project.join("node_modules/.tollgate-lock.json");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say(&format!("installing {what}"));
    let tools = workspace.target_dir.join("peers").join("bin");
    let mut path = tools.clone().into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut npm = Command::new(tools.join("npm"));
    npm.args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]);
    process::run(npm.current_dir(&project).env("PATH", path))?;
    write(&installed, &wanted)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}
