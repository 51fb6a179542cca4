//! Without rustup's server: the standard library built once from Debian's source of exactly this compiler.
//!
//! Nothing is installed and no root is needed; all of it lies below `target/guest-toolchain`.

mod fetch;
mod mirrors;
mod packages;
mod std_build;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use self::packages::Package;
use super::compiler::{Compiler, lib_dir};
use super::{CORE, WASI};
use crate::process::{self, say};
use crate::workspace::Workspace;

/// Makes standard libraries for one compiler and keeps them.
pub(super) struct Workshop<'a> {
    compiler: &'a Compiler,
    root: PathBuf,
    downloads: PathBuf,
}

impl<'a> Workshop<'a> {
    pub(super) fn new(workspace: &Workspace, compiler: &'a Compiler) -> Self {
        let commit: String = compiler.commit.chars().take(9).collect();
        let root = folder(workspace).join(format!("{}-{commit}", compiler.release));
        Self { compiler, root, downloads: downloads(workspace) }
    }

    pub(super) fn sysroot(&self) -> PathBuf {
        self.root.join("sysroot")
    }

    /// Whether an earlier run finished `target` for this very compiler from these very packages.
    pub(super) fn has(&self, target: &str) -> bool {
        fs::read_to_string(self.stamp(target))
            .is_ok_and(|stamp| self.stamp_text(target).is_ok_and(|text| stamp == text))
    }

    /// Makes the standard libraries of `targets`.
    pub(super) fn make(&self, targets: &[&str]) -> Result<()> {
        if let Some(other) = targets.iter().find(|target| **target != CORE && **target != WASI) {
            bail!("only {CORE} and {WASI} can be built this way, not {other}");
        }
        fs::create_dir_all(&self.root).with_context(|| format!("could not create {}", self.root.display()))?;
        let _lock = self.lock()?;
        let targets: Vec<_> = targets.iter().copied().filter(|target| !self.has(target)).collect();
        if targets.is_empty() {
            return Ok(());
        }
        let work = self.root.join("work");
        empty(&work)?;
        let made = self.make_in(&work, &targets);
        fs::remove_dir_all(&work).with_context(|| format!("could not remove {}", work.display()))?;
        made
    }

    fn make_in(&self, work: &Path, targets: &[&str]) -> Result<()> {
        let folder = format!("usr/src/rustc-{}/library", self.compiler.release);
        let library = self.unpack(packages::rust_src(self.compiler)?, &folder, work)?;
        say(&format!("building the standard library for {} (once; about half a minute each)", targets.join(" and ")));
        let built = std_build::build(self.compiler, &library, &work.join("std"), targets)?;
        for target in targets {
            let libs = lib_dir(&self.sysroot(), target);
            empty(&libs)?;
            built.copy(target, &libs)?;
            if *target == WASI {
                self.add_wasi_libc(work, &libs)?;
            }
            std_build::try_out(&self.sysroot(), target, &work.join("probe"))?;
            fs::write(self.stamp(target), self.stamp_text(target)?)?;
        }
        Ok(())
    }

    /// What rustup's own libraries for WASI hold beside them.
    fn add_wasi_libc(&self, work: &Path, libs: &Path) -> Result<()> {
        let from = self.unpack(&packages::WASI_LIBC, &format!("usr/lib/{WASI}"), work)?;
        let into = libs.join("self-contained");
        empty(&into)?;
        for file in ["crt1-command.o", "crt1-reactor.o", "libc.a"] {
            fs::copy(from.join(file), into.join(file)).with_context(|| format!("wasi-libc has no {file}"))?;
        }
        Ok(())
    }

    /// Fetches a package, unless an earlier run or a person put it there, and unpacks one folder of it.
    fn unpack(&self, package: &Package, folder: &str, work: &Path) -> Result<PathBuf> {
        let deb = fetch::package(package, &self.downloads)?;
        say(&format!("unpacking {folder} of {} (a few seconds)", package.name));
        let mut contents = Command::new("dpkg-deb");
        let mut contents = contents
            .arg("--fsys-tarfile")
            .arg(deb)
            .stdout(Stdio::piped())
            .spawn()
            .context("unpacking Debian's packages needs dpkg-deb")?;
        let stream = contents.stdout.take().context("dpkg-deb has no output")?;
        let member = format!("./{folder}");
        process::run(Command::new("tar").arg("-xC").arg(work).args(["-f", "-", &member]).stdin(stream))?;
        contents.wait().context("dpkg-deb")?;
        Ok(work.join(folder))
    }

    fn stamp(&self, target: &str) -> PathBuf {
        lib_dir(&self.sysroot(), target).join("made-by-xtask")
    }

    fn stamp_text(&self, target: &str) -> Result<String> {
        let source = packages::rust_src(self.compiler)?;
        let libc = if target == WASI { packages::WASI_LIBC.sha256 } else { "" };
        Ok(format!("{}{}\n{libc}\n", self.compiler.identity, source.sha256))
    }

    /// Two calls at once would build into the same folders.
    fn lock(&self) -> Result<File> {
        let path = self.root.join("lock");
        let file = File::create(&path).with_context(|| format!("could not create {}", path.display()))?;
        if file.try_lock().is_err() {
            say("waiting for another xtask that makes the guest toolchain");
            file.lock().with_context(|| format!("could not lock {}", path.display()))?;
        }
        Ok(file)
    }
}

/// What a person can do where no mirror is reached.
pub(super) fn remedy(workspace: &Workspace) -> String {
    let [source, libc] = [packages::newest_rust_src(), &packages::WASI_LIBC].map(Package::file_name);
    format!(
        "with rustc {}, on a machine with dpkg-deb: fetch {source} and {libc} from any Debian mirror (suite {}) into {}",
        packages::newest_release(),
        packages::SUITE,
        downloads(workspace).display(),
    )
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target_dir.join("guest-toolchain")
}

fn downloads(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("downloads")
}

fn empty(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("could not remove {}", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("could not create {}", dir.display()))
}
