//! The interface as a generator of bindings gets it: the whole would be imported whether it is used or not, and some of it has to be
//! granted, so it is cut down to what the manifest says.

use std::fmt::{Display, Write as _};
use std::fs;
use std::path::Path;

use wit_component::{StringEncoding, metadata};
use wit_parser::Resolve;

use super::Scratch;
use crate::cli::filter_new::files_in;

/// Where the interface lies among the files of SDKs.
const INTERFACE: &str = "wit/";
/// The file that says which interfaces there are.
const WORLD: &str = "world.wit";
/// What has no functions, and comes by itself.
const OTHERS: [&str; 3] = ["hooks", "types", "world"];

/// Writes the world of a filter that imports these interfaces into a folder of its own.
pub(super) fn write(project: &Path, imports: &[String]) -> Result<Scratch, String> {
    let world = world(imports)?;
    let scratch = Scratch::new(project, "wit")?;
    let folder = &scratch.0;
    let written = fs::create_dir_all(folder).and_then(|()| {
        for (name, text) in files_in(INTERFACE).filter(|(name, _)| *name != WORLD) {
            fs::write(folder.join(name), text)?;
        }
        fs::write(folder.join(WORLD), world)
    });
    written.map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(scratch)
}

/// The interface in the form that the gateway looks for in a core module: the name of a section, and what is in it.
pub(super) fn section() -> Result<(&'static str, Vec<u8>), String> {
    let mut files: Vec<_> = files_in(INTERFACE).collect();
    // The file that names the package comes first.
    files.sort_by_key(|(name, _)| *name != WORLD);
    let text: String = files.iter().map(|(_, text)| String::from_utf8_lossy(text)).collect();
    let unwritten = |error: &dyn Display| format!("the interface cannot be written down: {error:#}");
    let mut resolve = Resolve::default();
    let package = resolve.push_str("tollgate.wit", &text).map_err(|error| unwritten(&error))?;
    let world = resolve.select_world(&[package], None).map_err(|error| unwritten(&error))?;
    let section = metadata::encode(&resolve, world, StringEncoding::UTF8, None).map_err(|error| unwritten(&error))?;
    Ok(("component-type:tollgate-filter", section))
}

/// Whether there are such interfaces.
pub(super) fn check(imports: &[String]) -> Result<(), String> {
    match imports.iter().find(|import| !known().any(|name| name == *import)) {
        None => Ok(()),
        Some(import) => {
            let known: Vec<_> = known().collect();
            Err(format!("manifest.json: imports: there is no interface {import:?}; write some of {}", known.join(", ")))
        }
    }
}

fn world(imports: &[String]) -> Result<String, String> {
    check(imports)?;
    let mut text = "package tollgate:filter@0.1.0;\nworld filter {\n".to_owned();
    for import in imports {
        // Writing to memory does not fail.
        let _ = writeln!(text, "    import {import};");
    }
    Ok(text + "    export hooks;\n}\n")
}

fn known() -> impl Iterator<Item = &'static str> {
    files_in(INTERFACE).filter_map(|(name, _)| name.strip_suffix(".wit")).filter(|name| !OTHERS.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_imports_what_is_asked_for_and_nothing_else() {
        let text = world(&["log".to_owned(), "store".to_owned()]).unwrap();
        assert!(text.contains("    import log;\n    import store;\n    export hooks;\n"), "{text}");
        let told = world(&["files".to_owned()]).unwrap_err();
        assert!(told.contains("no interface \"files\"; write some of callout, clock, exchange"), "{told}");
    }
}
