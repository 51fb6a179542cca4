//! The same filter in each language, built as its authors would: a folder in `xtask/bench/languages` for each, and in Rust the standard
//! filter `headers`; and as scripts. What they cost is
//! found out by the gateway's own bench, as it calls into its code.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{first_filter, place};
use crate::build::{self, Profile};
use crate::process::{self, say};
use crate::workspace::Workspace;

/// Where the filters are.
const SOURCES: &str = "xtask/bench/languages";

/// The same as scripts, by the modules that run them.
const SCRIPTS: [(&str, &str); 3] = [
    ("script-cel", "xtask/bench/scripts/three-reads.cel"),
    ("script-js", "xtask/bench/languages/js/src/filter.js"),
    ("script-rego", "xtask/bench/scripts/three-reads.rego"),
];

pub(super) fn run(rest: &[String]) -> Result<()> {
    if rest == ["--commands"] {
        return first_filter::run();
    }
    let workspace = place::workspace()?;
    let gateway = build::gateway(workspace, Profile::Debug)?;
    let folder = place::fresh_folder("languages")?;
    for entry in fs::read_dir(workspace.root.join(SOURCES))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Err(error) = built(workspace, &gateway, &entry.path(), &folder, &name) {
            say(&format!("{name} is left out: {error:#}"));
        }
    }
    bundled(workspace, &folder, "headers", "rust")?;
    for (engine, script) in SCRIPTS {
        bundled(workspace, &folder, engine, engine)?;
        fs::write(folder.join(engine).with_extension("json"), configuration(workspace, script)?)?;
    }
    let mut cargo = process::cargo();
    cargo.args(["bench", "--package", "tollgate", "--bench", "languages"]).args(rest);
    if !rest.iter().any(|word| word == "--") {
        cargo.arg("--");
    }
    process::run(cargo.arg(&folder).current_dir(&workspace.root))
}

fn bundled(workspace: &Workspace, folder: &Path, filter: &str, name: &str) -> Result<()> {
    let module = workspace.target_dir.join("filters").join(filter).with_extension("wasm");
    let copied = fs::copy(&module, folder.join(name).with_extension("wasm"));
    copied.with_context(|| format!("could not copy {}", module.display())).map(drop)
}

/// What the gateway would configure the module with that runs a script.
fn configuration(workspace: &Workspace, script: &str) -> Result<String> {
    let path = workspace.root.join(script);
    let text = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(serde_json::json!({ "name": name, "script": text, "config": "{}" }).to_string())
}

/// Builds a copy of a project by the tools that `cargo xtask peers` has installed, where a language has no others.
fn built(workspace: &Workspace, gateway: &Path, project: &Path, folder: &Path, name: &str) -> Result<()> {
    let copy = folder.join(name);
    process::run(Command::new("cp").arg("-R").arg(project).arg(&copy))?;
    if ["assemblyscript", "js"].contains(&name) {
        let packages = workspace.root.join("examples").join(name).join("node_modules");
        std::os::unix::fs::symlink(packages, copy.join("node_modules"))?;
    }
    for part in ["guest-sdk", "wit"] {
        let own = copy.join(".tollgate");
        fs::create_dir_all(&own)?;
        std::os::unix::fs::symlink(workspace.root.join(part), own.join(part))?;
    }
    let mut build = Command::new(gateway);
    build.args(["filter", "build"]).arg(&copy).arg("--output").arg(folder.join(name).with_extension("wasm"));
    build.env("PATH", tools(workspace)).env("XDG_STATE_HOME", folder.join("built"));
    surroundings(&mut build, workspace);
    process::output(&mut build).map(drop)
}

/// Where programs are looked for: the tools of languages that are installed here first.
pub(super) fn tools(workspace: &Workspace) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", workspace.target_dir.join("peers/bin").display())
}

/// What else the tools have to know: where Go keeps what it has compiled, and who compiles C.
pub(super) fn surroundings(command: &mut Command, workspace: &Workspace) {
    command.env("GOCACHE", workspace.target_dir.join("peers/go-build"));
    if std::env::var_os("TOLLGATE_CC").is_none() {
        let python = workspace.target_dir.join("peers/bin/python");
        command.env("TOLLGATE_CC", format!("{} -m ziglang cc", python.display()));
    }
}
