//! `manifest.json` of a project whose language cannot write sections itself: what the module says about itself. The names of
//! files that it gives, for documentation and cases, are replaced by what is in them.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::manifest::{CASES, MANIFEST};

const FILE: &str = "manifest.json";

/// The manifest of a project.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) name: String,
    /// The interfaces that the filter uses besides hooks, where a language would import all of them otherwise.
    pub(super) imports: Vec<String>,
    /// What goes into the module: sections by their names.
    pub(super) sections: Vec<(&'static str, Vec<u8>)>,
}

impl Manifest {
    pub(super) fn read(project: &Path) -> Result<Self, String> {
        let path = project.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| {
            format!(
                "{}: {error}; write {{ \"name\": \"…\", \"version\": \"0.1.0\", \"description\": \"…\" }} into it",
                path.display()
            )
        })?;
        let written = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::of(written, project).map_err(|reason| format!("{}: {reason}", path.display()))
    }

    fn of(mut written: Map<String, Value>, project: &Path) -> Result<Self, String> {
        let name = written.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() || name.contains(['/', '\\']) {
            return Err("name: is missing, or no name of a file; write that of the filter".to_owned());
        }
        let imports = match written.remove("imports") {
            Some(imports) => serde_json::from_value(imports)
                .map_err(|_| "imports: is no list of interfaces; write it like [\"log\", \"store\"]".to_owned())?,
            None => Vec::new(),
        };
        let cases = written.remove("cases").map(|file| content("cases", &file, project)).transpose()?;
        if let Some(file) = written.get("documentation") {
            let text = content("documentation", file, project)?;
            written.insert("documentation".to_owned(), text.into());
        }
        written.insert("format".to_owned(), 1.into());
        let mut sections = vec![(MANIFEST, Value::Object(written).to_string().into_bytes())];
        sections.extend(cases.map(|text| (CASES, text.into_bytes())));
        Ok(Self { name, imports, sections })
    }
}

fn content(key: &str, file: &Value, project: &Path) -> Result<String, String> {
    let file = file.as_str().ok_or_else(|| format!("{key}: is not text; write the name of a file"))?;
    let path = project.join(file);
    fs::read_to_string(&path).map_err(|error| format!("{key}: {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::Carried;

    fn of(written: &Value) -> Result<Manifest, String> {
        Manifest::of(written.as_object().unwrap().clone(), Path::new(env!("CARGO_MANIFEST_DIR")))
    }

    #[test]
    fn files_are_replaced_by_their_content() {
        let written = json!({ "name": "a", "version": "1", "documentation": "Cargo.toml", "cases": "build.rs" });
        let manifest = of(&written).unwrap();
        let module = super::super::sections::add(b"\0asm\x01\0\0\0", &manifest.sections);
        let carried = Carried::read(&module).unwrap();
        let (said, cases) = (carried.manifest.unwrap(), carried.cases.unwrap());
        assert_eq!((said.name.as_str(), said.version.as_str()), ("a", "1"));
        assert!(said.documentation.unwrap().contains("[package]") && cases.contains("fn main"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(of(&json!({})).unwrap_err().starts_with("name: is missing"));
        assert!(of(&json!({ "name": "a/b" })).unwrap_err().starts_with("name: "));
        assert!(of(&json!({ "name": "a", "cases": 1 })).unwrap_err().starts_with("cases: is not text"));
        assert!(of(&json!({ "name": "a", "imports": "log" })).unwrap_err().starts_with("imports: is no list"));
        assert!(of(&json!({ "name": "a", "cases": "none" })).unwrap_err().starts_with("cases: "));
    }
}
