//! JavaScript and TypeScript: node bundles the SDK and the project's filter, and componentize-js puts an engine around them. How is
//! in the SDK (`build.mjs`); it comes in by standard input, so that packages are found from the project's folder.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use super::manifest::Manifest;
use super::{Built, Scratch, sdk, sections, tool, world};
use crate::cli::language::Language;

pub(super) const INSTALL: &str = "install Node.js 20 or later, by `apt install nodejs npm` or from https://nodejs.org";
/// What has to be installed in the project, or in a folder that it lies in.
const PACKAGE: &str = "node_modules/@bytecodealliance/componentize-js";

pub(super) fn build(project: &Path) -> Result<Built, String> {
    let manifest = Manifest::read(project)?;
    let sdk = sdk::find(project, Language::Js)?;
    let whole = project.canonicalize().map_err(|error| format!("{}: {error}", project.display()))?;
    if !whole.ancestors().any(|folder| folder.join(PACKAGE).is_dir()) {
        return Err(format!("{}: its packages are not installed; run `npm install` there", project.display()));
    }
    let wit = world::write(project, &manifest.imports)?;
    let scratch = Scratch::new(project, "wasm")?;
    let script = sdk.join("build.mjs");
    let script = File::open(&script).map_err(|error| format!("{}: {error}", script.display()))?;
    let mut node = Command::new("node");
    node.args(["--input-type=module", "-"]).arg(&sdk).arg(&wit.0).arg(&scratch.0).args(&manifest.imports);
    tool::run(node.current_dir(project).stdin(script), INSTALL)?;
    let module = sections::add(&scratch.read()?, &manifest.sections);
    Ok(Built { name: manifest.name, module })
}
