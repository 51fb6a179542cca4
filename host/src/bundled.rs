//! The standard filters and what runs scripts, which are part of the binary.

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// What runs scripts is called so, with the language. No policy can name it.
const ENGINES: &str = "script-";

/// Their names.
#[must_use]
pub fn names() -> Vec<&'static str> {
    BUNDLED.iter().map(|(name, _)| *name).filter(|name| !name.starts_with(ENGINES)).collect()
}

/// The module of a bundled filter.
#[must_use]
pub fn module(name: &str) -> Option<&'static [u8]> {
    find(name).filter(|_| !name.starts_with(ENGINES))
}

/// The module that runs scripts of a language.
#[must_use]
pub fn engine(name: &str) -> Option<&'static [u8]> {
    find(name).filter(|_| name.starts_with(ENGINES))
}

fn find(name: &str) -> Option<&'static [u8]> {
    BUNDLED.iter().find(|(known, _)| *known == name).map(|(_, module)| *module)
}
