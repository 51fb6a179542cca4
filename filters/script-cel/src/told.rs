//! What is told of an expression.

use cel::{ExecutionError, ParseErrors};
use script_decision::Document;

/// The first error of the parser, with its place.
pub(crate) fn unreadable(document: &Document, errors: &ParseErrors) -> String {
    let Some(error) = errors.errors.first() else { return document.whole("cannot be read") };
    let count = |number: isize| usize::try_from(number).unwrap_or(1).max(1);
    let message = error.msg.lines().next().unwrap_or_default().trim();
    document.at(count(error.pos.0), count(error.pos.1), message)
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
