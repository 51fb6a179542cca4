//! The compiler at hand: its version, and the standard libraries that it came with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// What `rustc` says about itself.
pub(super) struct Compiler {
    /// As in `1.95.0`.
    pub(super) release: String,
    /// The whole of `rustc -vV`: a standard library fits the compiler that gives exactly this answer.
    pub(super) identity: String,
    /// The commit that the source was taken from, or `unknown`.
    pub(super) commit: String,
    sysroot: PathBuf,
}

impl Compiler {
    pub(super) fn ask() -> Result<Self> {
        let identity = process::output(rustc().arg("-vV"))?;
        let sysroot = process::output(rustc().args(["--print", "sysroot"]))?;
        Ok(Self {
            release: field(&identity, "release").context("`rustc -vV` names no release")?,
            commit: field(&identity, "commit-hash").unwrap_or_else(|| "unknown".to_owned()),
            sysroot: PathBuf::from(sysroot.trim()),
            identity,
        })
    }

    pub(super) fn has(&self, target: &str) -> bool {
        has_std(&self.sysroot, target)
    }
}

pub(super) fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")))
}

/// The folder of a sysroot in which the compiler looks for the libraries of `target`.
pub(super) fn lib_dir(sysroot: &Path, target: &str) -> PathBuf {
    sysroot.join("lib/rustlib").join(target).join("lib")
}

fn has_std(sysroot: &Path, target: &str) -> bool {
    let files = std::fs::read_dir(lib_dir(sysroot, target)).into_iter().flatten().flatten();
    files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libstd-"))
}

fn field(identity: &str, name: &str) -> Option<String> {
    let value = identity.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?;
    Some(value.to_owned())
}
