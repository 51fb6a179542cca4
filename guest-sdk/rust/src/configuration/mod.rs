//! From the policy's JSON to the filter's fields, with errors that name the key.
//!
//! Not serde_json: that would be half of a small filter's code, most of it for numbers that configurations do not have.

mod json;
mod problem;

use serde::de::DeserializeOwned;

pub(crate) fn read<F: DeserializeOwned>(json: &str) -> Result<F, String> {
    let mut reader = json::Reader::new(json);
    F::deserialize(&mut reader).and_then(|filter| reader.end().map(|()| filter)).map_err(problem::Problem::into_text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default)]
        keys: Vec<Inner>,
        #[serde(default)]
        map: BTreeMap<String, Option<bool>>,
        #[serde(default)]
        kind: Kind,
        #[serde(default)]
        numbers: (i8, u64, f64),
        #[serde(default)]
        either: Option<Either>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        size: u8,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        #[default]
        None,
        Some(u8),
        Pair(u8, u8),
        Named {
            size: u8,
        },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
    }

    fn outer(rest: &str) -> Result<Outer, String> {
        read(&format!(r#"{{"name":"a" {rest} }}"#))
    }

    fn error(rest: &str) -> String {
        outer(rest).unwrap_err()
    }

    #[test]
    fn every_shape_is_read() {
        let text = r#", "keys": [ {"size": 1}, {"size":255} ], "map": {"a\n\u00e9\ud83d\ude00": true, "b": null},
            "numbers": [-5, 18446744073709551615, 2.5e1], "either": "x""#;
        let outer = outer(text).unwrap();
        assert_eq!(outer.keys, [Inner { size: 1 }, Inner { size: 255 }]);
        assert_eq!(outer.map, BTreeMap::from([("a\né😀".into(), Some(true)), ("b".into(), None)]));
        assert_eq!(outer.numbers, (-5, u64::MAX, 25.0));
        assert_eq!(outer.either, Some(Either::Text("x".into())));
    }

    #[test]
    fn every_kind_of_variant_is_read() {
        let kind = |text: &str| outer(&format!(r#", "kind": {text}"#)).unwrap().kind;
        assert_eq!(kind(r#""none""#), Kind::None);
        assert_eq!(kind(r#"{"some": 3}"#), Kind::Some(3));
        assert_eq!(kind(r#"{"pair": [3, 4]}"#), Kind::Pair(3, 4));
        assert_eq!(kind(r#"{"named": {"size": 5}}"#), Kind::Named { size: 5 });
        let message = error(r#", "kind": "sum""#);
        assert_eq!(message, "kind: unknown variant `sum`, expected one of `none`, `some`, `pair`, `named`");
    }

    #[test]
    fn errors_name_the_key() {
        assert_eq!(read::<Outer>(r#"{"name":5}"#).unwrap_err(), "name: invalid type: number 5, expected a string");
        assert_eq!(read::<Outer>("{}").unwrap_err(), "missing field `name`");
        let message = error(r#", "keys": [{"size":1}, {"size":"x"}]"#);
        assert_eq!(message, "keys[1].size: invalid type: text `x`, expected u8");
        assert_eq!(error(r#", "keys": [{"size":256}]"#), "keys[0].size: invalid value: number 256, expected u8");
        assert_eq!(error(r#", "keys": [{"size":1.5}]"#), "keys[0].size: invalid type: a fraction, expected u8");
        assert_eq!(error(r#", "keys": [{"sise":1}]"#), "keys[0]: unknown field `sise`, expected `size`");
        assert_eq!(error(r#", "map": {"b": 1}"#), "map.b: invalid type: number 1, expected a boolean");
        assert_eq!(error(r#", "keys": {}"#), "keys: invalid type: a table, expected a sequence");
        assert_eq!(error(r#", "name": "b""#), "duplicate field `name`");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "{}}", "[1 2]", "{\"a\" 1}", "\"\\x\"", "\"", "tru", "-", "{\"a\":1,}", "\"\\ud800\""] {
            assert!(read::<serde::de::IgnoredAny>(text).is_err(), "{text}");
        }
        assert!(read::<serde::de::IgnoredAny>(&"[".repeat(100_000)).unwrap_err().contains("nested"));
        assert!(read::<serde::de::IgnoredAny>(r#" {"a": [1, -2.5e-1, "\"", null, true, {}]} "#).is_ok());
    }
}
