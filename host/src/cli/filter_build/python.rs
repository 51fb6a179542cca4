//! Python: componentize-py puts the interpreter, the SDK and the project's `src` into a component.

use std::path::Path;

use super::manifest::Manifest;
use super::tool::{self, Tool};
use super::{Built, Scratch, sdk, sections, world};
use crate::cli::language::Language;

/// Names another program.
const VARIABLE: &str = "TOLLGATE_COMPONENTIZE_PY";
const INSTALL: &str =
    "install it by `pip install componentize-py` (in a virtual environment, if your Python wants one)";

pub(super) fn build(project: &Path) -> Result<Built, String> {
    let manifest = Manifest::read(project)?;
    let sdk = sdk::find(project, Language::Python)?;
    let wit = world::write(project, &manifest.imports)?;
    // A copy, as the interpreter leaves files beside what it loads.
    let modules = Scratch::new(project, "sdk")?;
    sdk::copy(&sdk.join("src"), &modules.0, "py").map_err(|error| format!("{}: {error}", sdk.display()))?;
    let scratch = Scratch::new(project, "wasm")?;
    let named = std::env::var(VARIABLE).ok();
    let tool = Tool::of(named.as_deref().unwrap_or("componentize-py")).ok_or_else(|| format!("{VARIABLE} is empty"))?;
    let mut command = tool.command();
    command.arg("-d").arg(&wit.0).args(["-w", "filter", "componentize", "tollgate_entry", "--stub-wasi"]);
    command.arg("-p").arg(project.join("src")).arg("-p").arg(&modules.0).arg("-o").arg(&scratch.0);
    tool::run(&mut command, INSTALL)?;
    let module = sections::add(&scratch.read()?, &manifest.sections);
    Ok(Built { name: manifest.name, module })
}
