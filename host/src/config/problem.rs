//! What is wrong with the configuration, said so that it can be put right.

use std::{
    fmt::{Display, Formatter, Result},
    path::PathBuf,
};

/// One thing that is wrong: where, what, and what to do about it.
///
/// Its text never quotes a value from a policy's `[config]`, where secrets may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The file; for something from the command line, the flag (`--upstream`).
    pub file: PathBuf,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The key path, such as `routes[0].path.prefix`.
    pub key: Option<String>,
    /// What is wrong, in lower case.
    pub message: String,
    /// What to do; may be empty if the message says it all.
    pub remedy: String,
}

impl Display for Problem {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(out, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(out, "{line}:")?;
        }
        if let Some(key) = &self.key {
            write!(out, " {key}:")?;
        }
        write!(out, " {}", self.message)?;
        if !self.remedy.is_empty() {
            write!(out, "; {}", self.remedy)?;
        }
        Ok(())
    }
}
