//! `cargo xtask bench`: what the gateway costs, side by side with its peers on the same machine.
//!
//! The map of the folder, in the order of a run: `options` reads the command line; `compare` (as fast as it goes, or at a
//! fixed rate), `download`, `reload`, `idle`, `connections`, `waiting`, `soak`, `languages` and `first_filter` are the measurements; `scenarios` and `peers` say what is
//! measured and by whom; `verify` makes sure that all do the same work; `load` drives them; `procfs` and `holdings` read
//! what they used; `figures` makes medians and ratios of it; `report` prints them. `service`, `http`, `tls` and `place`
//! are the ground: started programs, a small HTTP client, certificates, files and ports.
//!
//! Everything listens on 127.0.0.1, and every program that is started ends with the bench.

mod compare;
mod connections;
mod download;
mod figures;
mod first_filter;
mod holdings;
mod http;
mod idle;
mod languages;
mod load;
mod options;
mod peers;
mod place;
mod procfs;
mod reload;
mod report;
mod scenarios;
mod service;
mod soak;
mod tls;
mod verify;
mod waiting;

use std::path::Path;

use crate::process;

use options::{Mode, Options};

/// Runs `cargo xtask bench ARGS`.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(args)?;
    match options.mode {
        Mode::Help => report::text(options::HELP),
        Mode::Compare | Mode::Latency => compare::run(&options),
        Mode::Download => download::run(&options),
        Mode::Reload => reload::run(&options),
        Mode::Idle => idle::run(&options),
        Mode::Connections => connections::run(&options),
        Mode::Soak => soak::run(&options),
        Mode::Waiting => waiting::run(&options),
        Mode::Hooks => hooks(&options.rest),
        Mode::Languages => languages::run(&options.rest),
    }
}

/// Has a gateway do all that is measured, for as long as it takes to see what it does.
pub(crate) fn work(gateway: &Path) -> anyhow::Result<()> {
    let gateway = gateway.to_string_lossy();
    run(&["--peer", "tollgate", "--gateway", &gateway, "--rounds", "1", "--seconds", "2"].map(str::to_owned))
}

/// The micro-figures: they live with the gateway's own code, as they call into it.
fn hooks(rest: &[String]) -> anyhow::Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["bench", "--package", "tollgate", "--bench", "hooks"]).args(rest);
    process::run(cargo.current_dir(&place::workspace()?.root))
}
