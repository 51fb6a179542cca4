//! What a module says about itself where every tool can read it: its interfaces, and the custom sections `source` and `licenses`
//! that tools of the component model write (<https://github.com/WebAssembly/tool-conventions>).

use wasmparser::{Parser, Payload};

use crate::oci::Facts;

/// The longest text that is taken over.
const MAX_TEXT: usize = 1024;

/// What the module itself has; its manifest is another matter.
pub(super) fn of(module: &[u8]) -> Facts {
    let (mut facts, mut depth) = (Facts::default(), 0);
    let (mut exports, mut imports, mut is_component) = (Vec::new(), Vec::new(), false);
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        match payload {
            Payload::Version { encoding, .. } => {
                is_component |= depth == 0 && encoding == wasmparser::Encoding::Component;
                depth += 1;
            }
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                imports.extend(section.into_iter().flatten().map(|import| import.name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                exports.extend(section.into_iter().flatten().map(|export| export.name.name.to_owned()));
            }
            Payload::CustomSection(section) if depth == 1 => match section.name() {
                "source" => facts.source = text(section.data()),
                "licenses" => facts.licenses = text(section.data()),
                _ => {}
            },
            _ => {}
        }
    }
    facts.interfaces = is_component.then_some((exports, imports));
    facts
}

fn text(data: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(data).ok().filter(|text| text.len() <= MAX_TEXT)?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}
