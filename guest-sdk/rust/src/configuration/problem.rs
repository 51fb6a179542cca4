//! What is wrong with a configuration, and where.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

#[derive(Debug)]
pub(super) struct Problem {
    message: String,
    /// Such as `keys[0].sha256`, put together from the inside out.
    path: String,
}

impl Problem {
    #[cold]
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), path: String::new() }
    }

    #[cold]
    pub(super) fn in_key(self, key: &str) -> Self {
        self.within(key.to_owned())
    }

    #[cold]
    pub(super) fn in_element(self, index: usize) -> Self {
        let mut element = String::from("[");
        element.push_str(&index.to_string());
        element.push(']');
        self.within(element)
    }

    fn within(mut self, mut outer: String) -> Self {
        if !self.path.is_empty() && !self.path.starts_with('[') {
            outer.push('.');
        }
        outer.push_str(&self.path);
        self.path = outer;
        self
    }

    pub(super) fn into_text(self) -> String {
        let Self { message, mut path } = self;
        if path.is_empty() {
            return message;
        }
        path.push_str(": ");
        path.push_str(&message);
        path
    }

    #[cold]
    fn contrast(problem: &str, found: &Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new([problem, &*describe(found), ", expected ", &*expected.to_string()].concat())
    }
}

/// What was found, in an operator's words. The formatting of floating point numbers would be a fifth of a small filter.
fn describe(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => String::from(if *value { "true" } else { "false" }),
        Unexpected::Unsigned(number) => ["number ", &*number.to_string()].concat(),
        Unexpected::Signed(number) => ["number ", &*number.to_string()].concat(),
        Unexpected::Str(text) => ["text `", text, "`"].concat(),
        Unexpected::Float(_) => String::from("a fraction"),
        Unexpected::Unit | Unexpected::Option => String::from("null"),
        Unexpected::Seq => String::from("a list"),
        Unexpected::Map => String::from("a table"),
        Unexpected::Other(what) => String::from(*what),
        _ => String::from("something else"),
    }
}

impl de::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::contrast("invalid type: ", &found, expected)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::contrast("invalid value: ", &found, expected)
    }
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}
