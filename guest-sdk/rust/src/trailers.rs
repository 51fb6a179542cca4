//! The fields after a body.

use crate::Value;
use crate::bindings::tollgate::filter::types::Field;
use crate::edits::{Edits, Kind};

/// The trailer fields of a message (RFC 9110, section 6.5). Edits go back with the hook's answer.
#[derive(Debug)]
pub struct Trailers<'a> {
    pub(crate) fields: &'a [Field],
    pub(crate) edits: &'a mut Edits,
}

impl<'a> Trailers<'a> {
    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        self.fields.iter().map(|field| (&*field.name, &*field.value))
    }

    /// The first field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Value<'a>> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| Value::from(value))
    }

    /// Replaces every field of that name by this one.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.edits.push(Kind::Set, name, value.as_ref());
    }

    /// Appends a field and keeps those that are there.
    pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.edits.push(Kind::Add, name, value.as_ref());
    }

    /// Removes every field of that name. Nothing happens if there is none.
    pub fn remove(&mut self, name: &str) {
        self.edits.push(Kind::Remove, name, &[]);
    }
}
