//! Building the standard library from its source, as the compiler's makers do: optimised, with bitcode so that guests
//! can be optimised as a whole, and without this machine's paths in its messages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;
use crate::toolchain::compiler::{Compiler, rustc};

const MANIFEST: &str = r#"[package]
name = "std-builder"
version = "0.0.0"
edition = "2024"

[workspace]
"#;

/// What the build left.
pub(super) struct Built {
    target_dir: PathBuf,
}

/// Builds std for `targets` from the sources in `library`, in the new folder `project`.
///
/// std's few dependencies come from the crate registry by the checksums of its lock file: Debian's package holds them
/// too, but without the prebuilt archive that `wit-bindgen` links for wasm32-wasip2.
pub(super) fn build(compiler: &Compiler, library: &Path, project: &Path, targets: &[&str]) -> Result<Built> {
    write_project(project)?;
    let target_dir = project.join("target");
    let mut cargo = process::guest_cargo();
    // `-Zbuild-std` is not stable and looks for the source beside the compiler; both are told otherwise.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("__CARGO_TESTS_ONLY_SRC_ROOT", library);
    cargo.env("CARGO_TARGET_DIR", &target_dir).current_dir(project);
    cargo.args(["build", "--release", "-Zbuild-std=std,panic_abort"]);
    let registry = cargo_home()?.join("registry/src");
    for target in targets {
        let own = format!("--remap-path-prefix={}=/rustc/{}/library", library.display(), compiler.commit);
        let others = format!("--remap-path-prefix={}=/rust/deps", registry.display());
        cargo.args(["--target", target, "--config"]);
        cargo.arg(format!("target.{target}.rustflags=[\"-Cembed-bitcode=yes\", {own:?}, {others:?}]"));
    }
    process::run(&mut cargo)?;
    Ok(Built { target_dir })
}

impl Built {
    /// Copies the libraries of `target` to where the compiler looks for them.
    pub(super) fn copy(&self, target: &str, into: &Path) -> Result<()> {
        let from = self.target_dir.join(target).join("release/deps");
        for entry in fs::read_dir(&from).with_context(|| format!("could not read {}", from.display()))? {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
            let is_library = path.extension().is_some_and(|extension| extension == "rlib");
            if is_library && !name.to_string_lossy().starts_with("libstd_builder") {
                fs::copy(&path, into.join(&name)).with_context(|| format!("could not copy {}", path.display()))?;
            }
        }
        Ok(())
    }
}

/// Builds a small module with the finished sysroot: better that it fails here than in somebody's filter.
pub(super) fn try_out(sysroot: &Path, target: &str, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    let source = dir.join("probe.rs");
    fs::write(
        &source,
        "#[unsafe(no_mangle)] pub extern \"C\" fn probe(n: usize) -> usize { vec![1; n].iter().sum() }\n",
    )?;
    let mut rustc = rustc();
    rustc.args(["--edition=2024", "--crate-type=cdylib", "-O", "-Clto=fat", "--target", target]);
    rustc.arg("--sysroot").arg(sysroot).arg("--out-dir").arg(dir).arg(source);
    process::run(&mut rustc).with_context(|| format!("the standard library that was built for {target} does not work"))
}

fn write_project(project: &Path) -> Result<()> {
    let source = project.join("src");
    fs::create_dir_all(&source).with_context(|| format!("could not create {}", source.display()))?;
    for (path, text) in [(project.join("Cargo.toml"), MANIFEST), (source.join("lib.rs"), "#![no_std]\n")] {
        fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}

fn cargo_home() -> Result<PathBuf> {
    let usual = || std::env::home_dir().map(|home| home.join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(usual).context("neither CARGO_HOME nor HOME is set")
}
