//! Getting a package file: from the downloads folder, else from a mirror by whichever program can.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::mirrors;
use super::packages::Package;
use crate::process::{self, say};

const LIMIT: Duration = Duration::from_secs(600);

/// The path of the package's file, checked against its pinned digest.
pub(super) fn package(package: &Package, downloads: &Path) -> Result<PathBuf> {
    fs::create_dir_all(downloads).with_context(|| format!("could not create {}", downloads.display()))?;
    let file = downloads.join(package.file_name());
    if is_genuine(&file, package)? {
        return Ok(file);
    }
    say(&format!("fetching {} ({} MB)", package.file_name(), package.megabytes));
    let mut failures = Vec::new();
    for mirror in mirrors::all() {
        match from_mirror(package, &mirror, &file) {
            Ok(()) => return Ok(file),
            Err(error) => failures.push(format!("{mirror}: {error:#}")),
        }
    }
    bail!("could not fetch {}: {}", package.file_name(), failures.join("; "))
}

fn from_mirror(package: &Package, mirror: &str, file: &Path) -> Result<()> {
    let partial = file.with_extension("partial");
    let mut reason = None;
    for mut command in downloaders(&package.url(mirror), &partial) {
        // What one program left half done would make the next one fail.
        remove(&partial)?;
        match process::run_within(&mut command, LIMIT) {
            Ok(()) if is_genuine(&partial, package)? => {
                return fs::rename(&partial, file).with_context(|| format!("could not write {}", file.display()));
            }
            Ok(()) => reason = Some(anyhow::anyhow!("its SHA-256 is not the pinned one")),
            Err(error) => reason = reason.or(Some(error)),
        }
    }
    remove(&partial)?;
    Err(reason.context("no program to download with")?)
}

/// apt's own helper knows the machine's proxies and mirror settings; the others are for systems without it.
fn downloaders(url: &str, file: &Path) -> [Command; 3] {
    let mut apt = Command::new("/usr/lib/apt/apt-helper");
    // Without its sandbox user, who may not be able to write here.
    apt.args(["-o", "APT::Sandbox::User=root", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::Retries=1"]);
    apt.args(["download-file", url]).arg(file);
    let mut curl = Command::new("curl");
    curl.args(["--fail", "--location", "--silent", "--show-error", "--connect-timeout", "20", "--output"])
        .arg(file)
        .arg(url);
    let mut wget = Command::new("wget");
    wget.args(["--quiet", "--tries=1", "--timeout=20", "--output-document"]).arg(file).arg(url);
    [apt, curl, wget]
}

fn is_genuine(file: &Path, package: &Package) -> Result<bool> {
    match fs::read(file) {
        Ok(bytes) => Ok(hex(&Sha256::digest(bytes)) == package.sha256),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("could not read {}", file.display())),
    }
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
