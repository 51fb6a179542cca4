//! AssemblyScript: its own compiler makes a module of the project and the SDK, whose exports get the names that the interface has, which the
//! language cannot write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_encoder::{ExportKind, ExportSection, RawSection};
use wasmparser::{ExternalKind, Parser, Payload};

use super::manifest::Manifest;
use super::{Built, Scratch, javascript, sdk, sections, tool, world};
use crate::cli::language::Language;

/// What has to be installed in the project, or in a folder that it lies in.
const COMPILER: &str = "node_modules/assemblyscript/bin/asc.js";

/// The package's name, which is where its files are looked for.
const PACKAGE: &str = "tollgate-filter";

/// The file that is compiled: the author's, and the hooks.
const ENTRY: &str = "import \"../../assembly/index\";\nexport * from \"tollgate-filter/hooks\";\n";

/// Names of functions are wanted for faults. Memory is given back by the SDK, between hooks.
const FLAGS: [&str; 6] = ["-O3", "--debug", "--runtime", "minimal", "--use", "abort=tollgateAbort"];

pub(super) fn build(project: &Path) -> Result<Built, String> {
    let manifest = Manifest::read(project)?;
    let sdk = sdk::find(project, Language::AssemblyScript)?;
    let whole = project.canonicalize().map_err(|error| format!("{}: {error}", project.display()))?;
    let compiler = compiler(&whole)
        .ok_or_else(|| format!("{}: its packages are not installed; run `npm install` there", project.display()))?;
    let folder = Scratch::new(project, "sdk")?;
    let entry = folder.0.join("entry.ts");
    sdk::copy(&sdk, &folder.0.join(PACKAGE), "ts")
        .and_then(|()| fs::write(&entry, ENTRY))
        .map_err(|error| format!("{}: {error}", folder.0.display()))?;
    let scratch = Scratch::new(project, "wasm")?;
    // The compiler tells of places from the folder that it runs in.
    let here = |path: &Path| path.strip_prefix(&whole).map(Path::to_owned).unwrap_or_else(|_| path.to_owned());
    let mut node = Command::new("node");
    node.arg(compiler).arg(here(&entry)).arg("--path").arg(here(&folder.0)).arg("--outFile").arg(here(&scratch.0));
    tool::run(node.args(FLAGS).current_dir(&whole), javascript::INSTALL)?;
    let module = named(&scratch.read()?)?;
    let module = sections::add(&sections::add(&module, &[world::section()?]), &manifest.sections);
    Ok(Built { name: manifest.name, module })
}

fn compiler(project: &Path) -> Option<PathBuf> {
    project.ancestors().map(|folder| folder.join(COMPILER)).find(|file| file.is_file())
}

/// The module with the interface's names, and without what else is exported.
fn named(module: &[u8]) -> Result<Vec<u8>, String> {
    let unreadable = |error: wasmparser::BinaryReaderError| format!("the compiler has made no module: {error}");
    let mut renamed = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(unreadable)?;
        if let Payload::ExportSection(exports) = &payload {
            let mut section = ExportSection::new();
            for export in exports.clone() {
                let export = export.map_err(unreadable)?;
                if let (Some(name), Some(kind)) = (name(export.name), kind(export.kind)) {
                    section.export(&name, kind, export.index);
                }
            }
            renamed.section(&section);
        } else if let Some((id, range)) = payload.as_section() {
            renamed.section(&RawSection { id, data: &module[range] });
        }
    }
    Ok(renamed.finish())
}

fn name(written: &str) -> Option<String> {
    match written {
        "memory" | "cabi_realloc" => Some(written.to_owned()),
        "inbox" => Some("tollgate:inbox".to_owned()),
        hook if hook == "configure" || hook.starts_with("on_") => {
            Some(format!("tollgate:filter/hooks@0.1.0#{}", hook.replace('_', "-")))
        }
        _ => None,
    }
}

fn kind(kind: ExternalKind) -> Option<ExportKind> {
    match kind {
        ExternalKind::Func => Some(ExportKind::Func),
        ExternalKind::Memory => Some(ExportKind::Memory),
        ExternalKind::Global => Some(ExportKind::Global),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_get_the_names_of_the_interface_and_the_rest_is_not_exported() {
        let text = r#"(module (func $f) (memory 1) (global $g i32 (i32.const 8))
            (export "on_request_head" (func $f)) (export "own" (func $f)) (export "memory" (memory 0)) (export "inbox" (global $g)))"#;
        let module = named(&wat::parse_str(text).unwrap()).unwrap();
        assert!(wasmparser::validate(&module).is_ok());
        let has = |part: &str| module.windows(part.len()).any(|window| window == part.as_bytes());
        assert!(
            has("tollgate:filter/hooks@0.1.0#on-request-head") && has("tollgate:inbox") && has("memory") && !has("own")
        );
        assert!(named(b"none").unwrap_err().contains("no module"));
    }
}
