//! `cargo xtask build --profiled`: the gateway compiled by what was seen of it at work (profile-guided optimisation). It is built
//! so that it counts what it does, does the work of the bench, and is built again by the counts. Only the crates on the way of a
//! request are: to the compiler of filters, which runs now and then, everything would look cold.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::bench;
use crate::guests::{self, Group};
use crate::process::{self, say};
use crate::workspace::Workspace;

/// The crates on the way of a request.
const ON_THE_WAY: [&str; 15] = [
    "tollgate",
    "arc-swap",
    "bytes",
    "h2",
    "http",
    "http-body",
    "httparse",
    "hyper",
    "itoa",
    "mio",
    "papaya",
    "rustls",
    "tokio",
    "tokio-rustls",
    "tokio-util",
];

/// What those are compiled with besides. Where it is set, this program is the compiler.
const FLAG: &str = "TOLLGATE_PROFILE_FLAG";

/// Names the program that merges counts.
const MERGER: &str = "LLVM_PROFDATA";

/// Stands in for the compiler, if cargo has called this program as that: `XTASK RUSTC ARGS…`.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    let flag = std::env::var_os(FLAG)?;
    let mut args = std::env::args_os().skip(1);
    let mut compiler = Command::new(args.next()?);
    let args: Vec<OsString> = args.collect();
    if is_on_the_way(&args) {
        compiler.arg(flag);
    }
    match compiler.args(args).status() {
        Ok(status) => Some(status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(code as u8))),
        Err(error) => {
            eprintln!("error: {}: {error}", compiler.get_program().display());
            Some(ExitCode::FAILURE)
        }
    }
}

fn is_on_the_way(args: &[OsString]) -> bool {
    let name = args.iter().skip_while(|arg| *arg != "--crate-name").nth(1).and_then(|name| name.to_str());
    name.is_some_and(|name| ON_THE_WAY.iter().any(|known| known.replace('-', "_") == name))
}

/// Builds the gateway and returns the path of its binary.
pub(crate) fn gateway(workspace: &Workspace) -> Result<PathBuf> {
    // First of all, as the rest takes minutes.
    let merger = merger()?;
    guests::build(workspace, &[Group::FILTERS])?;
    let place = Place { workspace, target: workspace.target_dir.join("profiled") };
    let counts = place.target.join("counts");
    if counts.exists() {
        fs::remove_dir_all(&counts).with_context(|| format!("could not remove {}", counts.display()))?;
    }
    say("building a gateway that counts what it does (three to six minutes on two cores)");
    let built = place.build("-Cprofile-generate=", &counts)?;
    let counting = place.target.join("tollgate-counting");
    fs::copy(&built, &counting).with_context(|| format!("could not write {}", counting.display()))?;
    say("having it work; how fast it is means nothing");
    bench::work(&counting)?;
    let profile = place.target.join("tollgate.profdata");
    merge(&merger, &counts, &profile)?;
    say("building the gateway by what was seen (two to four minutes)");
    place.build("-Cprofile-use=", &profile)
}

/// Where all of it is built.
struct Place<'a> {
    workspace: &'a Workspace,
    target: PathBuf,
}

impl Place<'_> {
    fn build(&self, flag: &str, with: &Path) -> Result<PathBuf> {
        let mut flag = OsString::from(flag);
        flag.push(with);
        // Cargo does not know of the flag, nor that another one makes another crate.
        let mut clean = self.cargo("clean");
        process::run(clean.args(ON_THE_WAY.iter().flat_map(|name| ["--package", name])))?;
        let mut build = self.cargo("build");
        build.args(["--package", "tollgate"]).env("TOLLGATE_FILTERS_DIR", self.workspace.target_dir.join("filters"));
        build.env("RUSTC_WRAPPER", std::env::current_exe().context("where is this program?")?).env(FLAG, flag);
        process::run(&mut build)?;
        Ok(self.target.join("release").join(format!("tollgate{}", std::env::consts::EXE_SUFFIX)))
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = process::cargo();
        cargo.args([command, "--release", "--target-dir"]).arg(&self.target).current_dir(&self.workspace.root);
        cargo
    }
}

fn merge(merger: &Path, counts: &Path, profile: &Path) -> Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(counts).with_context(|| format!("no counts in {}", counts.display()))? {
        files.push(entry?.path());
    }
    ensure!(!files.is_empty(), "the gateway has left no counts in {}", counts.display());
    process::run(Command::new(merger).args(["merge", "-o"]).arg(profile).args(&files))
}

/// A `llvm-profdata` that can read what this compiler's programs count.
fn merger() -> Result<PathBuf> {
    let text = process::output(Command::new("rustc").arg("-vV"))?;
    let (host, llvm) = (line(&text, "host: "), line(&text, "LLVM version: "));
    let (Some(host), Some(major)) = (host, llvm.and_then(major)) else { bail!("`rustc -vV` names no host or no LLVM") };
    if let Some(named) = std::env::var_os(MERGER) {
        return Ok(named.into());
    }
    let root = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let component = Path::new(root.trim()).join("lib/rustlib").join(host).join("bin/llvm-profdata");
    let package = PathBuf::from(format!("/usr/lib/llvm-{major}/bin/llvm-profdata"));
    if let Some(found) = [component, package].into_iter().find(|path| path.is_file()) {
        return Ok(found);
    }
    let any = OsStr::new("llvm-profdata");
    let version = Command::new(any).arg("--version").output().ok();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if version.split_once("LLVM version ").and_then(|(_, version)| self::major(version)) >= Some(major) {
        return Ok(any.into());
    }
    bail!(
        "there is no llvm-profdata of LLVM {major}; run `rustup component add llvm-tools`, install the Debian package \
         llvm-{major}, or name one in {MERGER}"
    )
}

fn line<'a>(text: &'a str, begins: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(begins))
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_the_way_is_told_by_its_name() {
        let args = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(is_on_the_way(&args("--crate-name tokio_util --edition=2021 src/lib.rs")));
        assert!(!is_on_the_way(&args("--crate-name wasmtime --edition=2024 src/lib.rs")));
        assert!(!is_on_the_way(&args("-vV")));
    }

    #[test]
    fn the_compiler_says_which_llvm_it_has() {
        let text = "rustc 1.95.0\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\nLLVM version: 22.1.2\n";
        assert_eq!(line(text, "host: "), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(line(text, "LLVM version: ").and_then(major), Some(22));
        assert!(major("").is_none());
    }
}
