//! A document, and what is told of it: with its name, and with the place where that is known.

use serde::Deserialize;
use tollgate_filter::{Hook, Interest};

/// A document, as the gateway hands it over.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The file's name.
    pub name: String,
    /// Its text.
    pub script: String,
    /// The policy's `[config]`, as JSON text.
    config: String,
}

impl Document {
    /// The policy's `[config]`.
    ///
    /// # Errors
    /// If it is no JSON.
    pub fn config(&self) -> Result<serde_json::Value, String> {
        serde_json::from_str(&self.config).map_err(|error| error.to_string())
    }

    /// A message about it.
    #[must_use]
    pub fn whole(&self, message: &str) -> String {
        format!("{}: {message}", self.name)
    }

    /// A message about a place in it; lines and columns are counted from 1.
    #[must_use]
    pub fn at(&self, line: usize, column: usize, message: &str) -> String {
        format!("{}:{line}:{column}: {message}", self.name)
    }

    /// Requests with those facts, and responses if it has something to say about them.
    pub fn interest(&self, facts: impl Iterator<Item = String>) -> Interest {
        let interest = Interest::new().request_each(facts);
        match self.script.contains(crate::decision::TO_RESPONSE) {
            true => interest,
            false => interest.without(Hook::Response).without(Hook::End),
        }
    }
}
