//! `cargo xtask setup`: everything that a build of guests needs. The other commands do their share of it by themselves.

use anyhow::{Result, bail};

use crate::process::say;
use crate::toolchain::{TARGETS, Toolchain};
use crate::workspace::Workspace;

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(unknown) = args.first() {
        bail!("`setup` takes no argument, but was given `{unknown}`");
    }
    let toolchain = Toolchain::prepare(&Workspace::own()?, &TARGETS)?;
    for target in TARGETS {
        say(&format!("{target}: {}", toolchain.describe(target)));
    }
    Ok(())
}
