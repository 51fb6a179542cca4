//! JSON as TOML writes it: what was read from TOML, to be read from TOML again.

use std::fmt::Write;

use serde_json::Value;

/// A basic string of TOML.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// A value as TOML writes it in one line. There is no null in what was read from TOML.
#[must_use]
pub fn toml_text(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Array(values) => format!("[{}]", values.iter().map(toml_text).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{} = {}", quote(key), toml_text(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Null => "\"\"".to_owned(),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_is_read_back() {
        let value = serde_json::json!({
            "a b": ["\"quoted\" \\ \n\u{7f}\u{1}", 1, -2.5, true], "c": { "d": {} }, "e\u{301}": "日本"
        });
        let text = format!("v = {}", toml_text(&value));
        let read: serde_json::Value = toml::from_str(&text).unwrap();
        assert_eq!(read["v"], value);
    }
}
