//! Custom sections of what a compiler has made.

use wasm_encoder::{ComponentSection as _, CustomSection, RawSection};
use wasmparser::{Parser, Payload};

/// A core module without what debuggers read, which would be most of it. The names of functions stay, for faults.
pub(super) fn without_debugging(module: &[u8]) -> Result<Vec<u8>, String> {
    let mut kept = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|error| format!("the compiler has made no module: {error}"))?;
        if matches!(&payload, Payload::CustomSection(section) if section.name().starts_with(".debug")) {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            kept.section(&RawSection { id, data: &module[range] });
        }
    }
    Ok(kept.finish())
}

/// A module or a component with these sections at its end.
pub(super) fn add(module: &[u8], sections: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut whole = module.to_vec();
    for (name, content) in sections {
        CustomSection { name: (*name).into(), data: content.into() }.append_to_component(&mut whole);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debugging_goes_and_names_stay() {
        let text = r#"(module (func $f) (@custom ".debug_info" "x") (@custom "kept" "y"))"#;
        let module = without_debugging(&wat::parse_str(text).unwrap()).unwrap();
        let has = |part: &str| module.windows(part.len()).any(|window| window == part.as_bytes());
        assert!(has("kept") && has("name") && !has(".debug"));
        assert!(wasmparser::validate(&module).is_ok());
        assert!(without_debugging(b"none").unwrap_err().contains("no module"));
    }
}
