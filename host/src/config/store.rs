//! `[stores.NAME]`: where policies keep state that they share.

use super::{
    report::{At, Report},
    section::Section,
};

/// What a space may hold unless something else is said.
pub(super) const SIZE: u64 = 16 << 20;

/// A store that policies can be granted.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// Its name.
    pub name: String,
    /// `size`: how many bytes it may hold.
    pub size: u64,
}

impl Store {
    /// A store of that name, with the defaults.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), size: SIZE }
    }
}

pub(super) fn read(name: At<String>, mut section: Section<'_>) -> Store {
    check_name(&name, section.report());
    let size = read_size(&mut section, "size");
    section.finish();
    Store { name: name.value, size }
}

/// The bound of a space.
pub(super) fn read_size(section: &mut Section<'_>, key: &'static str) -> u64 {
    section.take(key).and_then(|item| item.size(64 << 10, 64 << 30)).unwrap_or(SIZE)
}

/// Without a name it could not be told from a policy's own space, and a slash is in the names that metrics give those.
fn check_name(name: &At<String>, report: &Report) {
    if name.value.is_empty() || name.value.contains('/') {
        report.at(name, "is no name of a store", "write a name without slashes: [stores.NAME]");
    }
}
