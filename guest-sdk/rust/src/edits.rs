//! Changes to a head, collected in buffers that every exchange uses again.

use crate::bindings::tollgate::filter::types;
use crate::interest::canonical;

#[derive(Debug, Default)]
pub(crate) struct Edits {
    list: Vec<Packed>,
    bytes: Vec<u8>,
}

/// One edit as the canonical ABI lays it out, with `name` and `value` as offsets into the buffer until `pointers` makes
/// addresses of them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    kind: u32,
    name: u32,
    name_length: u32,
    value: u32,
    value_length: u32,
}

/// What an edit does. The numbers are those of the cases in `types.wit`.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Set = 0,
    Add = 1,
    Remove = 2,
}

impl Edits {
    pub(crate) const fn new() -> Self {
        Self { list: Vec::new(), bytes: Vec::new() }
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// An edit of a name that is written in lower case here.
    #[inline]
    pub(crate) fn push(&mut self, kind: Kind, name: &str, value: &[u8]) {
        if name.starts_with("@attr:") || name.starts_with("@claim:") {
            return self.push_exact(kind, ["", name], value);
        }
        let start = self.bytes.len();
        self.push_exact(kind, ["", name], value);
        self.bytes[start..start + name.len()].make_ascii_lowercase();
    }

    /// An edit of a name as it is, given in two parts.
    #[inline]
    pub(crate) fn push_exact(&mut self, kind: Kind, name: [&str; 2], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name[0].as_bytes());
        self.bytes.extend_from_slice(name[1].as_bytes());
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.list.push(Packed {
            kind: kind as u32,
            name: start as u32,
            name_length: (middle - start) as u32,
            value: middle as u32,
            value_length: value.len() as u32,
        });
    }

    /// The edits one by one, for the hooks that answer through generated code.
    pub(crate) fn take_list(&mut self) -> Vec<types::Edit> {
        let list = self.list.iter().map(|edit| self.unpack(edit)).collect();
        self.clear();
        list
    }

    fn unpack(&self, edit: &Packed) -> types::Edit {
        let part = |start: u32, length: u32| &self.bytes[start as usize..][..length as usize];
        let name = String::from_utf8_lossy(part(edit.name, edit.name_length)).into_owned();
        let field = |name| types::Field { name, value: part(edit.value, edit.value_length).to_vec() };
        match edit.kind {
            0 => types::Edit::Set(field(name)),
            1 => types::Edit::Add(field(name)),
            _ => types::Edit::Remove(name),
        }
    }

    /// Makes addresses of the offsets, once, at the end of a hook.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn pointers(&mut self) -> &[Packed] {
        let base = self.bytes.as_ptr() as u32;
        for edit in &mut self.list {
            edit.name += base;
            edit.value += base;
        }
        &self.list
    }
}

/// A field with its name as the gateway wants it.
pub(crate) fn field(name: &str, value: &[u8]) -> types::Field {
    types::Field { name: canonical("", name), value: value.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_come_out_as_they_went_in_with_names_in_lower_case() {
        let mut edits = Edits::new();
        edits.push(Kind::Set, "X-Stamp", b"Yes");
        edits.push_exact(Kind::Set, ["@attr:", "Plan"], b"gold");
        edits.push(Kind::Remove, "Cookie", b"");
        let list = edits.take_list();
        assert!(matches!(&list[0], types::Edit::Set(field) if field.name == "x-stamp" && field.value == b"Yes"));
        assert!(matches!(&list[1], types::Edit::Set(field) if field.name == "@attr:Plan" && field.value == b"gold"));
        assert!(matches!(&list[2], types::Edit::Remove(name) if name == "cookie"));
        assert!(edits.take_list().is_empty());
    }
}
