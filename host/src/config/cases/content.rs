//! A body of a case, and how it is cut into pieces.

use bytes::Bytes;

use crate::config::section::{Item, Section};

/// The longest body that a case has, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// A body.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// All of it.
    pub bytes: Bytes,
    /// How it is cut.
    pub cut: Cut,
}

/// Into which pieces a body is cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cut {
    /// None: it is one piece.
    #[default]
    Whole,
    /// Pieces that long, in order; the last one is as long as it is.
    Given(Vec<usize>),
    /// Pieces of so many bytes each, for each of the numbers: the case is run once for each.
    Each(Vec<usize>),
    /// In many ways, which must all come to the same.
    Any,
}

impl Content {
    /// Takes over what is said in a message's table.
    pub(super) fn read(&mut self, section: &mut Section<'_>) {
        if let Some(item) = section.take("body")
            && let Some((bytes, cut)) = body(item)
        {
            *self = Self { bytes, cut };
        }
        if let Some(cut) = section.take("cut").and_then(cut) {
            self.cut = cut;
        }
    }
}

/// Text, bytes, a file, a repetition, or pieces.
fn body(item: Item<'_>) -> Option<(Bytes, Cut)> {
    if !item.is_array() {
        return Some((bytes(item)?.into(), Cut::Whole));
    }
    let pieces: Vec<Vec<u8>> = item.array()?.into_iter().map(bytes).collect::<Option<_>>()?;
    let lengths = pieces.iter().map(Vec::len).collect();
    Some((pieces.concat().into(), Cut::Given(lengths)))
}

/// As `bytes`, or several that are put together.
pub(super) fn joined(item: Item<'_>) -> Option<Vec<u8>> {
    body(item).map(|(bytes, _)| bytes.into())
}

/// Bytes as text, or in one of the other ways to write them.
pub(super) fn bytes(item: Item<'_>) -> Option<Vec<u8>> {
    const REMEDY: &str = "write text, { hex = \"00ff\" }, { file = \"PATH\" } or { repeat = \"text\", times = 1000 }";
    let (report, place) = (item.report(), item.place());
    if !item.is_table() {
        return item.string().map(|at| at.value.into_bytes());
    }
    let mut section = item.section()?;
    let hexadecimal = section.take("hex").and_then(Item::string);
    let file = section.take("file").and_then(Item::string);
    let repeat = section.take("repeat").and_then(Item::string);
    let times = section.take("times").and_then(|item| item.count(1, MAX_BYTES));
    section.finish();
    match (hexadecimal, file, repeat, times) {
        (Some(text), None, None, None) => report.good(&text, hex(&text.value)),
        (None, Some(path), None, None) if report.is_carried() => {
            report.at(&path, "is a file, and cases in a module can read none", "write what is in it");
            None
        }
        (None, Some(path), None, None) => {
            let folder = report.file().parent().unwrap_or(std::path::Path::new(""));
            let unreadable = |error: std::io::Error| {
                (format!("{:?} cannot be read: {error}", path.value), "write a path relative to this file".to_owned())
            };
            report.good(&path, std::fs::read(folder.join(&path.value)).map_err(unreadable))
        }
        (None, None, Some(text), Some(times)) if text.value.len().saturating_mul(times) <= MAX_BYTES => {
            report.has_room(text.value.len() * times).then(|| text.value.repeat(times).into_bytes())
        }
        _ => {
            report.at(&place, "is no content", REMEDY);
            None
        }
    }
}

pub(super) fn hex(text: &str) -> Result<Vec<u8>, (String, String)> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect::<Option<_>>();
    bytes.ok_or_else(|| ("is not hexadecimal".to_owned(), "write two digits for each byte".to_owned()))
}

fn cut(item: Item<'_>) -> Option<Cut> {
    if item.is_array() {
        let sizes = item.array()?.into_iter().filter_map(|item| item.count(1, MAX_BYTES));
        return Some(Cut::Each(sizes.collect()));
    }
    if !item.is_string() {
        return item.count(1, MAX_BYTES).map(|size| Cut::Each(vec![size]));
    }
    let report = item.report();
    let text = item.string()?;
    match text.value.as_str() {
        "any" => Some(Cut::Any),
        "whole" => Some(Cut::Whole),
        other => {
            let remedy = "write a number of bytes, several as in [1, 7], \"whole\" or \"any\"";
            report.at(&text, format!("{other:?} is not known"), remedy);
            None
        }
    }
}
