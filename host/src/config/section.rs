//! Reads a TOML table key by key: reports values of the wrong kind and, at the end, the keys that nobody asked for.

use std::{borrow::Cow, time::Duration};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{
    Share,
    document::Document,
    json,
    lines::Lines,
    moment, names,
    report::{At, Report},
    units,
};

/// A table, from which keys are taken one by one. [`Section::finish`] reports the rest.
#[derive(Debug)]
pub(super) struct Section<'a> {
    document: &'a Document,
    key: String,
    line: usize,
    table: DeTable<'a>,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The table of the whole file.
    pub(super) fn root(document: &'a Document, table: DeTable<'a>) -> Self {
        Self { document, key: String::new(), line: 1, table, asked: Vec::new() }
    }

    /// Where problems go.
    pub(super) fn report(&self) -> &'a Report {
        &self.document.report
    }

    /// The table's own place.
    pub(super) fn place(&self) -> At<()> {
        At { value: (), key: self.key.clone(), line: self.line }
    }

    /// As JSON what is there, without a word about what JSON cannot hold.
    pub(super) fn written(&self) -> Option<Value> {
        let silent = Document::silent();
        json::Convert { document: &silent }.value(&self.key, self.line, DeValue::Table(self.table.clone()))
    }

    /// The value of a key.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Item<'a>> {
        self.asked.push(name);
        let (key, value) = self.table.remove_entry(name)?;
        Some(self.item(name, key.span().start, value))
    }

    /// The value of a key that must be there.
    pub(super) fn need(&mut self, name: &'static str, remedy: &str) -> Option<Item<'a>> {
        let item = self.take(name);
        if item.is_none() {
            self.report().key(&join(&self.key, name), self.line, "is missing", remedy);
        }
        item
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        for name in self.table.keys() {
            let line = self.document.line(name.span().start);
            let name = name.get_ref().as_ref();
            let remedy = names::suggest(name, "keys", self.asked.iter().copied());
            self.report().key(&join(&self.key, name), line, "unknown key", remedy);
        }
    }

    /// All entries in the order as written, for a table whose keys are names.
    pub(super) fn entries(self) -> Vec<(String, Item<'a>)> {
        let mut entries: Vec<_> = self.table.clone().into_iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| {
                let start = key.span().start;
                let name = key.into_inner().into_owned();
                let item = self.item(&name, start, value);
                (name, item)
            })
            .collect()
    }

    fn item(&self, name: &str, key_start: usize, value: toml::Spanned<DeValue<'a>>) -> Item<'a> {
        // The span of a table is that of a header further down, or of the first key inside.
        let start = if value.get_ref().is_table() { key_start } else { value.span().start };
        Item {
            document: self.document,
            key: join(&self.key, name),
            line: self.document.line(start),
            value: value.into_inner(),
        }
    }
}

/// A value of any kind. The methods give it as the kind that is wanted, or report that it is another.
#[derive(Debug)]
pub(super) struct Item<'a> {
    document: &'a Document,
    key: String,
    line: usize,
    value: DeValue<'a>,
}

impl<'a> Item<'a> {
    /// Where problems go.
    pub(super) fn report(&self) -> &'a Report {
        &self.document.report
    }

    /// The value's place.
    pub(super) fn place(&self) -> At<()> {
        At { value: (), key: self.key.clone(), line: self.line }
    }

    /// Whether it is a string.
    pub(super) fn is_string(&self) -> bool {
        self.value.is_str()
    }

    /// Whether it is `true` or `false`.
    pub(super) fn is_boolean(&self) -> bool {
        self.value.is_bool()
    }

    /// Whether it is a number.
    pub(super) fn is_number(&self) -> bool {
        self.value.is_integer()
    }

    /// Whether it is an array.
    pub(super) fn is_array(&self) -> bool {
        self.value.is_array()
    }

    /// Whether it is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// Whether it is a table with that key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.as_table().is_some_and(|table| table.contains_key(key))
    }

    /// Whether it is an array without elements.
    pub(super) fn is_empty_array(&self) -> bool {
        self.value.as_array().is_some_and(|array| array.is_empty())
    }

    /// A string.
    pub(super) fn string(self) -> Option<At<String>> {
        match self.value {
            DeValue::String(text) => Some(At { value: text.into_owned(), key: self.key, line: self.line }),
            _ => self.mismatch("a string", "put it in quotes: \"…\""),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(self) -> Option<At<bool>> {
        match self.value {
            DeValue::Boolean(value) => Some(At { value, key: self.key, line: self.line }),
            _ => self.mismatch("true or false", "write true or false, without quotes"),
        }
    }

    /// A whole number within bounds.
    pub(super) fn count(self, least: usize, most: usize) -> Option<usize> {
        let DeValue::Integer(number) = &self.value else {
            return self.mismatch("a whole number", &format!("write a number from {least} to {most}, without quotes"));
        };
        let value = usize::from_str_radix(number.as_str(), number.radix()).ok();
        let within = value.filter(|value| (least..=most).contains(value));
        if within.is_none() {
            let remedy = format!("write a number from {least} to {most}");
            self.document.report.key(&self.key, self.line, format!("{number} is out of range"), remedy);
        }
        within
    }

    /// A part of a whole: a number from 0 to 1.
    pub(super) fn share(self) -> Option<Share> {
        let remedy = "write a number from 0 to 1, such as 0.5, without quotes";
        let text = match &self.value {
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Integer(number) => number.to_string(),
            _ => return self.mismatch("a share", remedy),
        };
        let within = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
        if within.is_none() {
            self.document.report.key(&self.key, self.line, format!("{text} is out of range"), remedy);
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
        within.map(|share| Share::per_mille((share * 1_000.0).round() as u32))
    }

    /// A whole number or a string, as text.
    pub(super) fn number_or_string(self, remedy: &str) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.into_owned()),
            DeValue::Integer(number) => Some(number.to_string()),
            _ => self.mismatch("a number or a string", remedy),
        }
    }

    /// A duration within bounds.
    pub(super) fn duration(self, least: Duration, most: Duration) -> Option<Duration> {
        let bounds = format!("from {:?} to {:?}", units::show_duration(least), units::show_duration(most));
        let remedy = format!("write a duration {bounds}, in ms, s, m or h");
        let DeValue::String(text) = &self.value else {
            return self.mismatch("a duration", &remedy);
        };
        let value = units::parse_duration(text);
        self.within(text, value, "a duration", |value| (least..=most).contains(value), &remedy)
    }

    /// A moment, with or without quotes, as time since the Unix epoch.
    pub(super) fn moment(self) -> Option<Duration> {
        let remedy = "write it like \"2026-01-01T00:00:00Z\"";
        let moment = match &self.value {
            DeValue::String(text) => moment::parse(text),
            DeValue::Datetime(written) => moment::since_epoch(written),
            _ => return self.mismatch("a moment", remedy),
        };
        if moment.is_none() {
            let message = "is not a moment with a time zone, from 1970 on";
            self.document.report.key(&self.key, self.line, message, remedy);
        }
        moment
    }

    /// A size within bounds: bytes as a number, or a string with a unit.
    pub(super) fn size(self, least: u64, most: u64) -> Option<u64> {
        let bounds = format!("from {:?} to {:?}", units::show_size(least), units::show_size(most));
        let remedy = format!("write a size {bounds}, in KiB, MiB or GiB, or a plain number of bytes");
        let (text, value) = match &self.value {
            DeValue::String(text) => (Cow::Borrowed(text.as_ref()), units::parse_size(text)),
            DeValue::Integer(number) => {
                (Cow::Owned(number.to_string()), u64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            _ => return self.mismatch("a size", &remedy),
        };
        self.within(&text, value, "a size", |value| (least..=most).contains(value), &remedy)
    }

    /// A table.
    pub(super) fn section(self) -> Option<Section<'a>> {
        match self.value {
            DeValue::Table(table) => {
                Some(Section { document: self.document, key: self.key, line: self.line, table, asked: Vec::new() })
            }
            _ => {
                let remedy = format!("write [{0}], or {0} = {{ … }}", self.key);
                self.mismatch("a table", &remedy)
            }
        }
    }

    /// The elements of an array.
    pub(super) fn array(self) -> Option<Vec<Item<'a>>> {
        let DeValue::Array(elements) = self.value else {
            return self.mismatch("an array", "put the values in brackets: [ … ]");
        };
        let (document, key) = (self.document, self.key);
        let element = |(index, value): (usize, toml::Spanned<DeValue<'a>>)| Item {
            document,
            key: format!("{key}[{index}]"),
            line: document.line(value.span().start),
            value: value.into_inner(),
        };
        Some(elements.into_iter().enumerate().map(element).collect())
    }

    /// The strings of an array. An empty array is a problem; `remedy` says what to write instead.
    pub(super) fn strings(self, remedy: &str) -> Option<Vec<At<String>>> {
        let (report, place) = (self.report(), self.place());
        if self.is_empty_array() {
            report.at(&place, "is empty", remedy);
        }
        let elements = self.array()?;
        Some(elements.into_iter().filter_map(Item::string).collect())
    }

    /// A table as JSON, whatever is in it, and the lines of all that.
    pub(super) fn json(self) -> Option<(At<Value>, Lines)> {
        if !self.value.is_table() {
            let remedy = format!("write [{0}], or {0} = {{ … }}", self.key);
            return self.mismatch("a table", &remedy);
        }
        let lines = Lines::of(self.document, self.line, &self.value);
        let convert = json::Convert { document: self.document };
        let value = convert.value(&self.key, self.line, self.value)?;
        Some((At { value, key: self.key, line: self.line }, lines))
    }

    /// As JSON what is there, without a word about what JSON cannot hold.
    pub(super) fn written(&self) -> Option<Value> {
        let silent = Document::silent();
        json::Convert { document: &silent }.value(&self.key, self.line, self.value.clone())
    }

    /// Anything as JSON.
    pub(super) fn any_json(self) -> Option<At<Value>> {
        let convert = json::Convert { document: self.document };
        let value = convert.value(&self.key, self.line, self.value)?;
        Some(At { value, key: self.key, line: self.line })
    }

    fn within<T>(
        &self,
        text: &str,
        value: Option<T>,
        wanted: &str,
        fits: impl FnOnce(&T) -> bool,
        remedy: &str,
    ) -> Option<T> {
        let message = match &value {
            None => format!("{text:?} is not {wanted}"),
            Some(value) if !fits(value) => format!("{text:?} is out of range"),
            Some(_) => return value,
        };
        self.document.report.key(&self.key, self.line, message, remedy);
        None
    }

    /// Names the kind only: the value may be a secret at the wrong place.
    fn mismatch<T>(&self, wanted: &str, remedy: &str) -> Option<T> {
        let found = match &self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.document.report.key(&self.key, self.line, format!("is {found}, not {wanted}"), remedy);
        None
    }
}

/// The path of a key below a table, quoted where TOML would want it.
pub(super) fn join(table: &str, name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name = match !name.is_empty() && name.chars().all(bare) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("{name:?}")),
    };
    match table.is_empty() {
        true => name.into_owned(),
        false => format!("{table}.{name}"),
    }
}
