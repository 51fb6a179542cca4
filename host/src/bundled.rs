//! The standard filters, which are part of the binary.

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// Their names.
#[must_use]
pub fn names() -> Vec<&'static str> {
    BUNDLED.iter().map(|(name, _)| *name).collect()
}

/// The module of a bundled filter.
#[must_use]
pub fn module(name: &str) -> Option<&'static [u8]> {
    BUNDLED.iter().find(|(known, _)| *known == name).map(|(_, module)| *module)
}
