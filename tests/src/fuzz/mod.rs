//! What is done with arbitrary bytes: each target takes some and fails if something is wrong. The story in `tests/fuzz.rs`
//! drives them with bytes of the corpus and of chance.

mod configuration;
mod edits;
mod mutate;
mod paths;
mod requests;
mod script;

pub use mutate::{Chance, mutate};

/// A target: panics if something is wrong.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 4] =
    [("requests", requests::run), ("paths", paths::run), ("configuration", configuration::run), ("edits", edits::run)];
