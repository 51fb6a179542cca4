//! A filter's configuration from TOML to JSON. Its values may be secrets: no message quotes one.

use serde_json::{Map, Number, Value};
use toml::de::{DeArray, DeFloat, DeInteger, DeTable, DeValue};

use super::{document::Document, section::join};

/// Converts values of a document and reports those that JSON cannot hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convert<'a> {
    /// Where the values are written.
    pub(super) document: &'a Document,
}

impl Convert<'_> {
    /// The value as JSON; dates become strings.
    pub(super) fn value(self, key: &str, line: usize, value: DeValue<'_>) -> Option<Value> {
        match value {
            DeValue::String(text) => Some(Value::String(text.into_owned())),
            DeValue::Boolean(value) => Some(Value::Bool(value)),
            DeValue::Datetime(date) => Some(Value::String(date.to_string())),
            DeValue::Integer(number) => integer(&number).or_else(|| self.refuse(key, line, "does not fit in 64 bits")),
            DeValue::Float(number) => float(&number).or_else(|| self.refuse(key, line, "is not a finite number")),
            DeValue::Array(array) => self.array(key, array),
            DeValue::Table(table) => self.table(key, table),
        }
    }

    fn array(self, key: &str, array: DeArray<'_>) -> Option<Value> {
        let convert = |(index, value): (usize, toml::Spanned<DeValue<'_>>)| {
            let line = self.document.line(value.span().start);
            self.value(&format!("{key}[{index}]"), line, value.into_inner())
        };
        // Converted to the end before the first failure counts, so that all are reported.
        let values: Vec<Option<Value>> = array.into_iter().enumerate().map(convert).collect();
        values.into_iter().collect::<Option<Vec<Value>>>().map(Value::Array)
    }

    fn table(self, key: &str, table: DeTable<'_>) -> Option<Value> {
        let convert = |(name, value): (toml::Spanned<_>, toml::Spanned<DeValue<'_>>)| {
            let (line, name) = (self.document.line(value.span().start), String::from(name.into_inner()));
            let value = self.value(&join(key, &name), line, value.into_inner());
            value.map(|value| (name, value))
        };
        let entries: Vec<Option<(String, Value)>> = table.into_iter().map(convert).collect();
        entries.into_iter().collect::<Option<Map<String, Value>>>().map(Value::Object)
    }

    fn refuse(self, key: &str, line: usize, message: &str) -> Option<Value> {
        self.document.report.key(key, line, message, "write a number that JSON can hold");
        None
    }
}

fn integer(number: &DeInteger<'_>) -> Option<Value> {
    let (digits, radix) = (number.as_str(), number.radix());
    let signed = i64::from_str_radix(digits, radix).map(Number::from);
    signed.or_else(|_| u64::from_str_radix(digits, radix).map(Number::from)).ok().map(Value::Number)
}

fn float(number: &DeFloat<'_>) -> Option<Value> {
    number.as_str().parse().ok().and_then(Number::from_f64).map(Value::Number)
}
