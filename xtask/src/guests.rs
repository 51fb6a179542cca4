//! Building guests: workspace members in one cargo call per folder and target, other projects by themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process::{self, say};
use crate::toolchain::{CORE, Toolchain};
use crate::workspace::{GuestPackage, Workspace};

/// A folder of guests, and the folder below `target/` that their modules are copied to.
pub(crate) struct Group {
    source: &'static str,
    modules: &'static str,
    what: &'static str,
}

impl Group {
    /// The standard policies, which are bundled in the gateway.
    pub(crate) const FILTERS: Self = Self { source: "filters", modules: "filters", what: "standard filters" };
    /// The (mis)behaving components of the tests.
    pub(crate) const GUESTS: Self = Self { source: "tests/guests", modules: "guests", what: "test guests" };
    /// Those examples that are filters.
    pub(crate) const EXAMPLES: Self = Self { source: "examples", modules: "examples", what: "example filters" };
}

/// Builds all guests of `groups` and copies the modules that changed.
pub(crate) fn build(workspace: &Workspace, groups: &[Group]) -> Result<()> {
    let members: Vec<_> =
        groups.iter().map(|group| workspace.guests_below(&workspace.root.join(group.source))).collect();
    let toolchain = Toolchain::prepare(workspace, &targets(members.iter().flatten().copied()))?;
    for (group, members) in groups.iter().zip(members) {
        build_group(workspace, &toolchain, group, &members)?;
    }
    Ok(())
}

/// Builds the one filter project in `dir` with its own profile and returns the paths of its modules.
pub(crate) fn build_project(workspace: &Workspace, dir: &Path, target: Option<&str>) -> Result<Vec<PathBuf>> {
    let project = Workspace::of(dir)?;
    let dir = dir.canonicalize()?;
    let packages: Vec<_> = project.guests.iter().filter(|guest| guest.dir == dir).collect();
    let [package] = packages[..] else {
        bail!("{} is no filter project: its Cargo.toml needs [lib] crate-type = [\"cdylib\"]", dir.display());
    };
    let target = target.or(package.target.as_deref()).unwrap_or(CORE);
    let toolchain = Toolchain::prepare(workspace, &[target])?;
    let mut cargo = process::guest_cargo();
    cargo.args(["build", "--target", target, "--profile", profile(&project.root)?, "--package", &package.name]);
    modules(toolchain.apply(cargo.current_dir(&dir), target))
}

fn targets<'a>(guests: impl Iterator<Item = &'a GuestPackage>) -> Vec<&'a str> {
    let mut targets: Vec<_> = guests.map(target_of).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

fn target_of(guest: &GuestPackage) -> &str {
    guest.target.as_deref().unwrap_or(CORE)
}

fn build_group(workspace: &Workspace, toolchain: &Toolchain, group: &Group, members: &[&GuestPackage]) -> Result<()> {
    let into = workspace.target_dir.join(group.modules);
    fs::create_dir_all(&into).with_context(|| format!("could not create {}", into.display()))?;
    if !members.is_empty() {
        say(&format!("building the {} (first run: some minutes)", group.what));
    }
    let mut by_target: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for &guest in members {
        by_target.entry(target_of(guest)).or_default().push(&guest.name);
    }
    let mut names = Vec::new();
    for (target, packages) in by_target {
        for module in build_members(workspace, toolchain, target, &packages)? {
            names.push(keep(&module, &into)?);
        }
    }
    remove_others(&into, &names)
}

fn build_members(
    workspace: &Workspace,
    toolchain: &Toolchain,
    target: &str,
    packages: &[&str],
) -> Result<Vec<PathBuf>> {
    let mut cargo = process::guest_cargo();
    cargo.args(["build", "--target", target, "--profile", "filter"]).current_dir(&workspace.root);
    for package in packages {
        cargo.args(["--package", package]);
    }
    let modules = modules(toolchain.apply(&mut cargo, target))?;
    ensure!(modules.len() == packages.len(), "expected a module of each of {packages:?}, but cargo made {modules:?}");
    Ok(modules)
}

/// A project that knows the profile `filter` is built with it, any other one with `release`.
fn profile(root: &Path) -> Result<&'static str> {
    let manifest = root.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("could not read {}", manifest.display()))?;
    Ok(if text.lines().any(|line| line.trim() == "[profile.filter]") { "filter" } else { "release" })
}

/// Runs a `cargo build` and returns the modules that it made or found fresh. Dependencies may be libraries for WebAssembly as well, which
/// cargo leaves in `deps`.
fn modules(cargo: &mut Command) -> Result<Vec<PathBuf>> {
    let text = process::output(cargo.arg("--message-format=json-render-diagnostics"))?;
    let mut modules = Vec::new();
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).context("cargo's messages are not JSON")?;
        let files = message["filenames"].as_array().into_iter().flatten();
        modules.extend(files.filter_map(Value::as_str).map(PathBuf::from).filter(|file| is_module(file)));
    }
    Ok(modules)
}

fn is_module(file: &Path) -> bool {
    let is_dependency = file.parent().is_some_and(|folder| folder.ends_with("deps"));
    file.extension().is_some_and(|extension| extension == "wasm") && !is_dependency
}

/// Copies `api_key.wasm` to `api-key.wasm` in `into`, unless the same bytes are there: then its time stamp stays, and
/// what depends on it is not built again. The rename makes sure that nobody reads half a module.
fn keep(module: &Path, into: &Path) -> Result<String> {
    let file_name = module.file_name().context("a module without a name")?;
    let name = file_name.to_string_lossy().replace('_', "-");
    let new = fs::read(module).with_context(|| format!("could not read {}", module.display()))?;
    let copy = into.join(&name);
    if fs::read(&copy).is_ok_and(|old| old == new) {
        return Ok(name);
    }
    let unfinished = into.join(format!(".{name}.{}", std::process::id()));
    fs::write(&unfinished, new).with_context(|| format!("could not write {}", unfinished.display()))?;
    fs::rename(&unfinished, &copy).with_context(|| format!("could not write {}", copy.display()))?;
    Ok(name)
}

/// Modules whose source is gone must not stay bundled.
fn remove_others(dir: &Path, names: &[String]) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_module = path.extension().is_some_and(|extension| extension == "wasm");
        let is_current = path.file_name().is_some_and(|file| names.iter().any(|name| file == name.as_str()));
        if is_module && !is_current {
            fs::remove_file(&path).with_context(|| format!("could not remove {}", path.display()))?;
        }
    }
    Ok(())
}
