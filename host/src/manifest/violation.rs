//! What is wrong with a configuration, said so that it can be put right. Values of configurations may be secrets, so no text
//! quotes one; keys and what the schema says are no secrets.

/// Something that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// Where the key is not known: those that are.
    pub known: Option<Vec<String>>,
}

impl Violation {
    pub(super) fn new(pointer: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), message: message.into(), remedy: remedy.into(), known: None }
    }
}

/// One of them while others are looked for, with what it says about which form was meant.
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) violation: Violation,
}

/// What a violation says about the form that its author had in mind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not this one: the value is of another type.
    Type,
    /// Not this one: a value that tells forms apart is another.
    Value,
    /// Not this one: what makes it is missing.
    Missing,
    /// Nothing.
    Other,
}

impl Found {
    pub(super) fn new(kind: Kind, at: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind, violation: Violation::new(at, message, remedy) }
    }

    pub(super) fn unknown(at: &str, known: Vec<String>) -> Self {
        let violation = Violation { known: Some(known), ..Violation::new(at, "unknown key", "") };
        Self { kind: Kind::Other, violation }
    }

    /// Whether it is about the value at a place or a member of it, rather than about something further inside.
    pub(super) fn is_about(&self, at: &str) -> bool {
        let inside = self.violation.pointer.strip_prefix(at).unwrap_or_default();
        inside.matches('/').count() <= 1
    }
}
