//! Custom sections of a module, or of the modules that a component is made of.

use wasmparser::{Parser, Payload};

use super::{MAX_SECTION, ManifestError};

/// The content of the one section of that name.
pub(super) fn find<'a>(module: &'a [u8], name: &'static str) -> Result<Option<&'a [u8]>, ManifestError> {
    let mut found: Option<&[u8]> = None;
    for payload in Parser::new(0).parse_all(module) {
        // Whoever compiles it says what is wrong with the rest.
        let Ok(payload) = payload else { break };
        let Payload::CustomSection(section) = payload else { continue };
        if section.name() != name {
            continue;
        }
        let data = section.data();
        if data.len() > MAX_SECTION {
            return Err(ManifestError::TooLarge(name, data.len()));
        }
        // What makes components of modules may leave a copy of it at both levels.
        if found.is_some_and(|other| other != data) {
            return Err(ManifestError::Several(name));
        }
        found = Some(data);
    }
    Ok(found)
}
