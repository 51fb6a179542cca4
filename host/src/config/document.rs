//! A TOML file as text: read within bounds, parsed, and with a line for each byte.

use std::{io, path::Path};

use toml::de::DeTable;

use super::{files::Files, report::Report, section::Section};

/// The largest TOML file that is read. Far beyond what people write, and far below what would hurt.
const MAX_BYTES: usize = 1024 * 1024;

/// More syntax errors than this are mostly echoes of the first.
const MAX_SYNTAX_ERRORS: usize = 5;

/// The text of a TOML file and the problems found in it.
#[derive(Debug)]
pub(super) struct Document {
    /// What is wrong with it.
    pub(super) report: Report,
    text: String,
    line_starts: Vec<usize>,
}

impl Document {
    /// Reads a file. `remedy` is for a file that is not there.
    ///
    /// Always returns a document; if the file cannot be read, its report says so and [`Document::parse`] gives nothing.
    pub(super) fn read(files: &Files, file: &Path, remedy: &str) -> Self {
        let report = Report::new(file);
        let text = files.read(file, MAX_BYTES).map_or_else(
            |error| {
                report.whole(format!("cannot be read: {}", describe(&error)), remedy_for(&error, remedy));
                String::new()
            },
            |bytes| decode(bytes, &report),
        );
        Self::with(report, text)
    }

    /// A text as if it were in that file.
    pub(super) fn of(file: &Path, text: String) -> Self {
        Self::with(Report::new(file), text)
    }

    /// A text that a module carries.
    pub(super) fn carried(module: &Path, text: String) -> Self {
        Self::with(Report::carried(module), text)
    }

    fn with(report: Report, text: String) -> Self {
        let line_starts = line_starts(&text);
        Self { report, text, line_starts }
    }

    /// One whose report nobody reads.
    pub(super) fn silent() -> Self {
        Self { report: Report::new(""), text: String::new(), line_starts: vec![0] }
    }

    /// The table of the whole file, if there is no problem so far and no syntax error.
    pub(super) fn parse(&self) -> Option<Section<'_>> {
        if self.report.any() {
            return None;
        }
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        if errors.is_empty() {
            return Some(Section::root(self, table.into_inner()));
        }
        self.report_syntax(&errors);
        None
    }

    /// The text as far as it could be read.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    fn report_syntax(&self, errors: &[toml::de::Error]) {
        let mut found: Vec<(usize, &str)> = errors
            .iter()
            .map(|error| (error.span().map_or(0, |span| self.bounded(span.start)), error.message()))
            .collect();
        found.sort_by_key(|(offset, _)| *offset);
        found.dedup_by_key(|(offset, _)| self.line(*offset));
        for (offset, message) in found.into_iter().take(MAX_SYNTAX_ERRORS) {
            // What the parser takes for a boolean is most often a text, if it is neither true nor false.
            let is_bare = message.starts_with("invalid boolean") || message.contains("must be quoted");
            let remedy = if is_bare { "if it is text, put it in quotes" } else { "" };
            self.report.line(self.line(offset), format!("not valid TOML: {message}"), remedy);
        }
    }

    /// An error at the very end belongs to the last line that says something, not to the empty one behind it.
    fn bounded(&self, offset: usize) -> usize {
        offset.min(self.text.trim_end().len().saturating_sub(1))
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::FileTooLarge => "larger than 1MiB".to_owned(),
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string().to_lowercase(),
    }
}

fn remedy_for(error: &io::Error, not_found: &str) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => not_found.to_owned(),
        io::ErrorKind::FileTooLarge => "keep the file below 1MiB".to_owned(),
        io::ErrorKind::PermissionDenied => "make it readable for the user that the gateway runs as".to_owned(),
        _ => "check that it is a regular, readable file".to_owned(),
    }
}

/// The text, or as much of it as is UTF-8.
fn decode(bytes: Vec<u8>, report: &Report) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count();
        report.line(line, "not valid UTF-8", "save the file as UTF-8");
        let mut bytes = error.into_bytes();
        bytes.truncate(good);
        String::from_utf8(bytes).unwrap_or_default()
    })
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1)).collect()
}
