//! `cargo xtask build`: the standard filters, then the gateway with those filters bundled.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::guests::{self, Group};
use crate::process::{self, say};
use crate::profiled;
use crate::workspace::Workspace;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let workspace = Workspace::own()?;
    let binary = match args {
        [] => gateway(&workspace, Profile::Debug)?,
        [flag] if flag == "--release" => gateway(&workspace, Profile::Release)?,
        [flag] if flag == "--profiled" => profiled::gateway(&workspace)?,
        other => bail!("`build` knows --release and --profiled, not `{}`", other.join(" ")),
    };
    say(&format!("built {}", binary.display()));
    Ok(())
}

/// How the gateway is compiled.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// Builds the gateway and returns the path of its binary.
pub(crate) fn gateway(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    guests::build(workspace, &[Group::FILTERS])?;
    let (folder, flags, first_run): (_, &[&str], _) = match profile {
        Profile::Debug => ("debug", &[], "two to four minutes"),
        Profile::Release => ("release", &["--release"], "three to six minutes"),
    };
    say(&format!("building the gateway, {folder} (first run: {first_run} on two cores)"));
    process::run(process::cargo().args(["build", "--package", "tollgate"]).args(flags).current_dir(&workspace.root))?;
    Ok(workspace.target_dir.join(folder).join(format!("tollgate{}", std::env::consts::EXE_SUFFIX)))
}
