//! What cargo knows about a project: where it lies, where it builds to, and which of its packages are guests.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// A cargo workspace, as `cargo metadata` describes it.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target_dir: PathBuf,
    pub(crate) guests: Vec<GuestPackage>,
}

/// A package whose library is built as a module of its own (`crate-type = ["cdylib"]`).
pub(crate) struct GuestPackage {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    /// `[package.metadata.tollgate] target = "…"`, for a guest that needs another than the usual one.
    pub(crate) target: Option<String>,
}

impl Workspace {
    /// The workspace that xtask belongs to.
    pub(crate) fn own() -> Result<Self> {
        let xtask = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Self::of(&PathBuf::from(xtask).join(".."))
    }

    /// The workspace of the package in `dir`.
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        let dir = dir.canonicalize().with_context(|| format!("no such directory: {}", dir.display()))?;
        let text = process::output(
            process::cargo().args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(&dir),
        )?;
        let metadata: Value = serde_json::from_str(&text).context("cargo metadata is not JSON")?;
        Ok(Self {
            root: path(&metadata, "workspace_root")?,
            target_dir: path(&metadata, "target_directory")?,
            guests: packages(&metadata).filter_map(GuestPackage::read).collect(),
        })
    }

    /// The guests in `dir` or anywhere below it.
    pub(crate) fn guests_below(&self, dir: &Path) -> Vec<&GuestPackage> {
        self.guests.iter().filter(|guest| guest.dir.starts_with(dir)).collect()
    }
}

impl GuestPackage {
    fn read(package: &Value) -> Option<Self> {
        let targets = package["targets"].as_array()?;
        let is_guest = targets.iter().any(|target| strings(&target["crate_types"]).any(|kind| kind == "cdylib"));
        is_guest.then_some(())?;
        Some(Self {
            name: package["name"].as_str()?.to_owned(),
            dir: Path::new(package["manifest_path"].as_str()?).parent()?.to_owned(),
            target: package["metadata"]["tollgate"]["target"].as_str().map(str::to_owned),
        })
    }
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn path(metadata: &Value, key: &str) -> Result<PathBuf> {
    let text = metadata[key].as_str().with_context(|| format!("cargo metadata has no `{key}`"))?;
    Ok(PathBuf::from(text))
}
