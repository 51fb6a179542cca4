//! Pingora: a package of its own in `xtask/bench/pingora`, built below `target/` when this peer is asked for.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Context;

use super::{Peer, Setting, answers, loopback};
use crate::bench::place;
use crate::bench::scenarios::KEY;
use crate::bench::service::Service;
use crate::process::{self, say};

/// Starts the peer.
pub(super) fn start(folder: &Path, setting: Setting) -> anyhow::Result<(Service, SocketAddr)> {
    let program = program().with_context(|| format!("Pingora has not been built; {}", Peer::Pingora.remedy()))?;
    let [port] = place::free_ports()?;
    let (listen, upstream) = (loopback(port).to_string(), setting.upstream.to_string());
    let mut args = vec![listen.as_str(), &upstream, "2"];
    if setting.scenario.is_chain() {
        args.push(KEY);
    }
    let mut service = Service::start("pingora", program, &args, folder)?;
    service.wait_until(|| answers(loopback(port), setting.scenario))?;
    Ok((service, loopback(port)))
}

/// `Pingora 0.9.1`
pub(super) fn version() -> Option<String> {
    program()?;
    let lock = std::fs::read_to_string(package().ok()?.join("Cargo.lock")).ok()?;
    Some(format!("Pingora {}", locked(&lock, "pingora")?))
}

/// The program; it is built once in a run, and cargo's messages say why it is not.
fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(|| build().map_err(|error| say(&format!("{error:#}"))).ok()).as_deref()
}

fn build() -> anyhow::Result<PathBuf> {
    let target = place::workspace()?.target_dir.join("bench-pingora");
    let program = target.join("release").join(format!("bench-pingora{}", std::env::consts::EXE_SUFFIX));
    let mut cargo = process::cargo();
    cargo.args(["build", "--release", "--locked", "--target-dir"]).arg(&target).current_dir(package()?);
    if program.is_file() {
        cargo.arg("--quiet");
    } else {
        say("building the peer pingora (two to five minutes on two cores)");
    }
    process::run(&mut cargo)?;
    Ok(program)
}

fn package() -> anyhow::Result<PathBuf> {
    Ok(place::workspace()?.root.join("xtask/bench/pingora"))
}

/// The version of a package in a lock file.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_comes_from_the_lock_file() {
        let lock = "[[package]]\nname = \"pingora-core\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"pingora\"\n\
                    version = \"0.9.1\"\n";
        assert_eq!(locked(lock, "pingora"), Some("0.9.1"));
        assert_eq!(locked(lock, "other"), None);
    }
}
