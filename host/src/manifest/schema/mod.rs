//! The schema of a filter's configuration: the part of JSON Schema (draft 2020-12) that says what a value looks like, without
//! what refers to other documents. `read` makes rules of it once, `check` holds a configuration to them.
//!
//! Not a library: a schema comes from whoever wrote the module and is used in the gateway's own process, so each step counts
//! against a budget, and the values of a configuration may be secrets, so no message quotes one.

mod check;
mod read;
mod values;

use std::fmt;

use serde_json::Value;

use self::read::Rules;
use super::keys::{self, Key};
use super::violation::Violation;

/// A schema that is one.
pub struct Schema {
    written: Value,
    rules: Vec<Rules>,
}

impl Schema {
    pub(super) fn new(written: Value) -> Result<Self, String> {
        let rules = read::read(&written)?;
        Ok(Self { written, rules })
    }

    /// As its author wrote it.
    #[must_use]
    pub fn written(&self) -> &Value {
        &self.written
    }

    /// What is wrong with a configuration: all of it, or the first of very much. Its values are in none of the texts.
    #[must_use]
    pub fn violations(&self, config: &Value) -> Vec<Violation> {
        check::check(&self.rules, &self.written, config)
    }

    /// The keys of the configuration.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        keys::list(&self.written)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.written).finish()
    }
}
