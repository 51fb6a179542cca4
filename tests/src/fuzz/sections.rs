//! What modules carry besides their code: a manifest and cases, or a reason why they cannot be read.

use std::path::Path;

use tollgate::config::cases::CaseFile;
use tollgate::manifest::{CASES, Carried, MANIFEST};

use super::configuration::check;

/// The content of both sections.
pub fn run(data: &[u8]) {
    carried(data, MANIFEST);
    if let Some(Carried { cases: Some(text), .. }) = carried(data, CASES)
        && let Err(problems) = CaseFile::carried(Path::new("a.wasm"), &text, None)
    {
        check(&problems);
    }
}

/// What a module with that section carries. All that people get to see is plain.
fn carried(data: &[u8], section: &str) -> Option<Carried> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    crate::append_section(&mut module, section, data);
    let carried = match Carried::read(&module) {
        Ok(carried) => carried,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty(), "refused without a reason");
            return None;
        }
    };
    if let Some(manifest) = &carried.manifest {
        let needs = manifest.needs.iter().flat_map(|need| need.name.iter().chain([&need.why]));
        let named = [&manifest.name, &manifest.version].into_iter().chain(&manifest.description).chain(&manifest.hooks);
        assert!(!manifest.name.is_empty() && !manifest.version.is_empty(), "it says nothing");
        assert!(named.chain(needs).all(|text| !text.chars().any(char::is_control)), "{manifest:?}");
        manifest.schema.iter().for_each(|schema| drop(schema.keys()));
    }
    Some(carried)
}

/// Manifests and cases with many keys.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::texts([
        r#"{"format":1,"name":"a","version":"1.2.3","description":"d","hooks":["on_request"],"documentation":"x"}"#,
        r#"{"format":1,"name":"a","version":"1","needs":[{"grant":"secrets","name":"k","why":"w","optional":true},{"grant":"clock"}]}"#,
        r##"{"format":1,"name":"a","version":"1","schema":{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{}}}}"##,
        "[[cases]]\nname = \"a\"\n[cases.request]\nbody = [{ repeat = \"x\", times = 3 }]\n[cases.expect]\nclient = { status = 200 }\n",
        "config = { a = 1 }\n[[cases]]\nname = \"a\"\nexpect = {}\n[[cases.then]]\nexpect = { faults = [\"trap\"] }\n",
    ])
}
