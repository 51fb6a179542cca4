//! A document, and what is told of it: with its name, and with the place where that is known.

use cel::{ExecutionError, ParseErrors};
use serde::Deserialize;

/// A document, as the gateway hands it over.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    /// The file's name.
    name: String,
    /// Its text.
    pub(crate) script: String,
    /// The policy's `[config]`, as JSON text.
    config: String,
}

impl Document {
    /// The policy's `[config]`.
    pub(crate) fn config(&self) -> Result<serde_json::Value, String> {
        serde_json::from_str(&self.config).map_err(|error| error.to_string())
    }

    /// A message about it.
    pub(crate) fn whole(&self, message: &str) -> String {
        format!("{}: {message}", self.name)
    }

    /// The first error of the parser, with its place.
    pub(crate) fn unreadable(&self, errors: &ParseErrors) -> String {
        let Some(error) = errors.errors.first() else { return self.whole("cannot be read") };
        let count = |number: isize| usize::try_from(number).unwrap_or(1).max(1);
        let message = error.msg.lines().next().unwrap_or_default().trim();
        format!("{}:{}:{}: {message}", self.name, count(error.pos.0), count(error.pos.1))
    }
}

/// Why an expression came to nothing: never with the values that it came to nothing on, which can be secrets.
pub(crate) fn told(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(_)
        | ExecutionError::NoSuchOverload(_)
        | ExecutionError::UndeclaredReference(_)
        | ExecutionError::InvalidArgumentCount { .. }
        | ExecutionError::MissingArgumentOrTarget
        | ExecutionError::UnexpectedType { .. } => error.to_string(),
        ExecutionError::FunctionError { function, .. } => format!("the function {function} failed"),
        ExecutionError::NotSupportedAsMethod { method, .. } => {
            format!("{method} is not there for a value of that type")
        }
        ExecutionError::ValuesNotComparable(..) => "compares values that cannot be compared".to_owned(),
        ExecutionError::UnsupportedBinaryOperator(operator, ..) => {
            format!("{operator} is not there for values of these types")
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "divides by zero".to_owned(),
        ExecutionError::Overflow(operator, ..) => format!("{operator} leads out of the range of integers"),
        ExecutionError::IndexOutOfBounds(_) => "looks behind the end of a list".to_owned(),
        ExecutionError::DuplicateKey(_) => "has a map with one key twice".to_owned(),
        _ => "comes to nothing".to_owned(),
    }
}
