//! The ordinary way to a guest toolchain.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process::{self, say};

/// A machine that cannot reach rustup's server may drop the connection instead of refusing it.
const LIMIT: Duration = Duration::from_secs(120);

pub(super) fn add(targets: &[&str]) -> Result<()> {
    say(&format!("adding {} by rustup (about 20 s, {} s at most)", targets.join(" and "), LIMIT.as_secs()));
    process::run_within(Command::new("rustup").args(["target", "add"]).args(targets), LIMIT)
}
