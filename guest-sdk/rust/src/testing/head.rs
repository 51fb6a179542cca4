//! A head as the stand-in keeps it.

use crate::bindings::tollgate::filter::types::Edit;

/// Named values: `:` facts and header fields of a message, or the `@` facts of an exchange.
#[derive(Clone, Debug, Default)]
pub(super) struct Head(pub(super) Vec<(String, Vec<u8>)>);

impl Head {
    pub(super) fn add(&mut self, name: &str, value: &[u8]) {
        self.0.push((name.to_owned(), value.to_vec()));
    }

    pub(super) fn set(&mut self, name: &str, value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// All values of that name as one (RFC 9110, section 5.3; RFC 9113, section 8.2.3).
    pub(super) fn get(&self, name: &str) -> Option<Vec<u8>> {
        let separator: &[u8] = match name {
            "cookie" => b"; ",
            "@scopes" => b" ",
            _ => b", ",
        };
        let values: Vec<_> = self.values(name).collect();
        (!values.is_empty()).then(|| values.join(separator))
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    /// Header fields, without the facts that are kept with them.
    pub(super) fn fields(&self) -> impl Iterator<Item = &(String, Vec<u8>)> {
        self.0.iter().filter(|(name, _)| !name.starts_with([':', '@']))
    }

    /// Who it is decides what else is known.
    pub(super) fn forget_identity(&mut self) {
        let told = ["@consumer", "@subject", "@issuer", "@scopes", "@groups"];
        self.0.retain(|(name, _)| !told.contains(&&**name) && !name.starts_with("@claim:"));
    }

    pub(super) fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Set(field) => self.set(&field.name, &field.value),
            Edit::Add(field) => self.add(&field.name, &field.value),
            Edit::Remove(name) => self.remove(name),
        }
    }
}
