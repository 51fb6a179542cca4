//! A policy again from its entry as it was written once.

use std::path::PathBuf;

use serde_json::Value;

use super::{
    FilterSource, Lines, Place, Policy, Problem, document::Document, policy_file::PolicyTable, toml_text::toml_text,
};
use crate::oci::Reference;

/// What makes a policy, whatever files say by now.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenPolicy {
    /// Its name.
    pub name: String,
    /// The entry as written ([`Policy::written`]).
    pub written: Value,
    /// The name of its module, or of the bundled filter.
    pub filter: String,
    /// The file that the module was in, if it was in one.
    pub path: Option<PathBuf>,
    /// Where it was fetched from, if it was.
    pub reference: Option<Reference>,
    /// Where it was written.
    pub place: Place,
}

impl WrittenPolicy {
    /// Of a policy.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        Self {
            name: policy.name.clone(),
            written: policy.written.clone(),
            filter: policy.filter.name().to_owned(),
            path: policy.filter.path().map(ToOwned::to_owned),
            reference: policy.filter.reference().cloned(),
            place: policy.place.clone(),
        }
    }

    /// The policy.
    ///
    /// # Errors
    /// If what is written is not understood, as may be after the program itself has become another version.
    pub fn restore(&self) -> Result<Policy, Vec<Problem>> {
        let lines = self.written.as_object().into_iter().flatten();
        let text: String = lines.map(|(key, value)| format!("{key} = {}\n", toml_text(value))).collect();
        let document = Document::of(&self.place.file, text);
        let table = document.parse().map(PolicyTable::read);
        let problems = document.report.into_problems();
        let name = self.filter.clone();
        let filter = match (&self.reference, &self.path) {
            (Some(reference), _) => FilterSource::Pulled { name, reference: reference.clone() },
            (None, Some(path)) => FilterSource::Module { name, path: path.clone() },
            (None, None) => FilterSource::Bundled { name },
        };
        match table {
            Some(table) if problems.is_empty() => {
                let policy = table.build(self.name.clone(), filter, self.place.clone());
                // The text is another one, so its lines mean nothing.
                let (place, grants_place) = (self.place.clone(), self.place.clone());
                Ok(Policy { place, grants_place, lines: Lines::default(), ..policy })
            }
            _ => Err(problems),
        }
    }
}
