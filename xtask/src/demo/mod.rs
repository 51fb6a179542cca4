//! `cargo xtask demo`: the gateway with three policies before a small upstream, to try by hand (or, `--check`, by itself).

mod check;
mod client;
mod gateway;
mod options;
mod policies;
mod tour;
mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::gateway::Gateway;
use self::options::Options;
use self::policies::Policies;
use crate::build::{self, Profile};
use crate::workspace::Workspace;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let options = Options::parse(args)?;
    let workspace = Workspace::own()?;
    let binary = build::gateway(&workspace, Profile::Release)?;
    let policies = if options.check { Policies::fresh(&workspace)? } else { Policies::beside_yours(&workspace)? };
    let upstream = upstream::start()?;
    let stopped = on_interrupt()?;
    let gateway = Gateway::start(&binary, &options, upstream, &policies)?;
    if options.check { check::run(&gateway, &policies) } else { stay(gateway, &policies, &stopped) }
}

/// Shows how to try it, and stays up until somebody has seen enough.
fn stay(mut gateway: Gateway, policies: &Policies, stopped: &AtomicBool) -> Result<()> {
    println!("{}", tour::text(&gateway, policies));
    while !stopped.load(Ordering::Relaxed) {
        if let Some(status) = gateway.wait_until(Instant::now() + Duration::from_millis(200))? {
            bail!("the gateway ended by itself ({status}); its last lines above say why");
        }
    }
    Ok(())
}

fn on_interrupt() -> Result<Arc<AtomicBool>> {
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stopped)).context("could not listen for Ctrl-C")?;
    }
    Ok(stopped)
}
