//! `tollgate filter build`: the module of a filter project in any language, by the tools of that language, held to the world of
//! filters and shown as `filter inspect` shows it.

mod assemblyscript;
mod c;
mod cargo;
mod go;
mod javascript;
mod link;
mod manifest;
mod python;
mod sdk;
mod sections;
mod tool;
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::language::Language;
use super::say;
use crate::inspect::Inspection;

// No doc comment: clap would take it for the command's description.
#[derive(Args)]
pub(super) struct FilterBuild {
    /// The folder of the project.
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Where the module goes [default: build/NAME.wasm of the project].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave in the module what says where in the sources a fault was, and build it faster.
    #[arg(long)]
    debug: bool,
}

/// What a module is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be deployed.
    Release,
    /// To be looked into.
    Debug,
}

impl FilterBuild {
    pub(super) fn run(self) -> Result<(), String> {
        let built = build(&self.project, if self.debug { Purpose::Debug } else { Purpose::Release })?;
        let output = self.output.unwrap_or_else(|| self.project.join("build").join(format!("{}.wasm", built.name)));
        write(&output, &built.module)?;
        // What is no filter is left there for its author to look at.
        let inspection = Inspection::of_built(&output)?;
        say(&format!("{}\n{}", output.display(), inspection.text()));
        Ok(())
    }
}

/// Builds the project in a folder by the tools of its language, whose messages go to standard error.
pub(super) fn build(project: &Path, purpose: Purpose) -> Result<Built, String> {
    match Language::of(project)? {
        Language::Rust => cargo::build(project, purpose),
        Language::C => c::build(project, purpose),
        Language::Python => python::build(project),
        Language::Js | Language::Ts => javascript::build(project),
        Language::Go => go::build(project, purpose),
        Language::AssemblyScript => assemblyscript::build(project),
    }
}

/// What a language's tools have made.
pub(super) struct Built {
    pub(super) name: String,
    pub(super) module: Vec<u8>,
}

/// A file in the project's folder `build` that is gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(project: &Path, name: &str) -> Result<Self, String> {
        let folder = project.join("build");
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let folder = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self(folder.join(format!(".{}.{name}", std::process::id()))))
    }

    /// What a tool has written there.
    fn read(&self) -> Result<Vec<u8>, String> {
        fs::read(&self.0).map_err(|error| format!("{}: {error}", self.0.display()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = if self.0.is_dir() { fs::remove_dir_all(&self.0) } else { fs::remove_file(&self.0) };
    }
}

/// Nobody who watches the folder sees half a module.
pub(super) fn write(output: &Path, module: &[u8]) -> Result<(), String> {
    let unfinished = output.with_extension(format!("wasm.{}", std::process::id()));
    let written = output
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&unfinished, module))
        .and_then(|()| fs::rename(&unfinished, output));
    written.map_err(|error| format!("{}: {error}", output.display()))
}
