//! Where the parts of a filter's configuration are written, so that what its schema says about one of them has a line.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::{document::Document, section::join};

/// The line of a value, and those of what is in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lines {
    line: usize,
    inside: Inside,
}

#[derive(Debug, Clone, Default, PartialEq)]
enum Inside {
    #[default]
    Nothing,
    Table(BTreeMap<Box<str>, Lines>),
    Array(Vec<Lines>),
}

impl Lines {
    /// Those of a value that begins in a line.
    pub(super) fn of(document: &Document, line: usize, value: &DeValue<'_>) -> Self {
        let inside = match value {
            DeValue::Table(table) => {
                let entry = |(name, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                    // As in `Section`: the span of a table may be that of a header further down.
                    let start = if value.get_ref().is_table() { name.span().start } else { value.span().start };
                    let name: &std::borrow::Cow<'_, str> = name.get_ref();
                    (Box::from(&**name), Self::of(document, document.line(start), value.get_ref()))
                };
                Inside::Table(table.iter().map(entry).collect())
            }
            DeValue::Array(values) => {
                let element = |value: &toml::Spanned<DeValue<'_>>| {
                    Self::of(document, document.line(value.span().start), value.get_ref())
                };
                Inside::Array(values.iter().map(element).collect())
            }
            _ => Inside::Nothing,
        };
        Self { line, inside }
    }

    /// The key path and the line of what a JSON pointer (RFC 6901) means, below the key of the whole. Of what is not there, the
    /// line is that of what it would be in.
    pub(super) fn find(&self, key: &str, pointer: &str) -> (String, Option<usize>) {
        let (mut key, mut line, mut here) = (key.to_owned(), self.line, Some(self));
        for segment in pointer.split('/').skip(1) {
            let name = segment.replace("~1", "/").replace("~0", "~");
            let next = match here.map(|lines| &lines.inside) {
                Some(Inside::Array(elements)) => {
                    key = format!("{key}[{name}]");
                    name.parse().ok().and_then(|index: usize| elements.get(index))
                }
                Some(Inside::Table(entries)) => {
                    key = join(&key, &name);
                    entries.get(name.as_str())
                }
                _ => {
                    key = join(&key, &name);
                    None
                }
            };
            line = next.map_or(line, |next| next.line);
            here = next;
        }
        (key, Some(line).filter(|line| *line > 0))
    }
}
