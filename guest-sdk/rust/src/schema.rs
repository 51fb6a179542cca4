//! What a configuration may look like, in the words of JSON Schema.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::FieldName;
use crate::manifest::{Json, Object};

/// A type that says what its values look like in a configuration, as a JSON Schema (draft 2020-12). The module carries the
/// schema of its filter: the gateway checks `[config]` against it before it asks the filter, and names the line and the key
/// of everything that does not fit.
///
/// It is derived beside `Deserialize` and goes by the same attributes of serde. Comments become descriptions, and
/// `#[schema(…)]` says what types do not:
///
/// ```
/// use tollgate_filter::prelude::*;
///
/// #[derive(Deserialize, Schema)]
/// #[serde(deny_unknown_fields)]
/// struct Quota {
///     /// How many requests there may be.
///     #[schema(minimum = 1)]
///     requests: u32,
///     /// In what time.
///     #[schema(pattern = "^[0-9]+(s|m|h)$", default = "1s")]
///     #[serde(default)]
///     per: String,
///     /// Whom it is for.
///     #[serde(default)]
///     of: Of,
/// }
///
/// #[derive(Default, Deserialize, Schema)]
/// #[serde(rename_all = "kebab-case")]
/// enum Of {
///     #[default]
///     Everybody,
///     EachConsumer,
/// }
/// ```
///
/// `#[schema(…)]` knows `minimum`, `maximum`, `exclusive_minimum`, `exclusive_maximum`, `multiple_of`, `min_length`,
/// `max_length`, `pattern`, `min_items`, `max_items`, `unique_items`, `min_properties`, `max_properties`, `format`, `default`,
/// `examples = ["…"]` and `values = ["…"]`, for fields and for whole types. A field or a type whose `Deserialize` is written
/// by hand says with `as = "String"` as what it is read. Types cannot contain themselves; for what cannot be derived there is
/// `#[filter(schema = "FILE")]`.
pub trait Schema {
    /// The schema.
    const SCHEMA: &'static Object;
}

macro_rules! of_types {
    ($($schema:tt: $($type:ty),+;)+) => {
        $($(
            impl Schema for $type {
                const SCHEMA: &'static Object = &Object { base: None, own: &$schema };
            }
        )+)+
    };
}

of_types! {
    [("type", Json::Text("boolean"))]: bool;
    [("type", Json::Text("string"))]: String, Box<str>, Cow<'static, str>;
    [("type", Json::Text("string")), ("minLength", Json::Raw("1")), ("maxLength", Json::Raw("1"))]: char;
    [("type", Json::Text("number"))]: f32, f64;
    [("type", Json::Text("integer"))]: i64;
    [("type", Json::Text("integer")), ("minimum", Json::Raw("0"))]: u64;
    [("type", Json::Text("integer")), ("minimum", Json::Raw("0")), ("maximum", Json::Raw("4294967295"))]: u32, usize;
    [("type", Json::Text("integer")), ("minimum", Json::Raw("0")), ("maximum", Json::Raw("65535"))]: u16;
    [("type", Json::Text("integer")), ("minimum", Json::Raw("0")), ("maximum", Json::Raw("255"))]: u8;
    [
        ("type", Json::Text("integer")),
        ("minimum", Json::Raw("-2147483648")),
        ("maximum", Json::Raw("2147483647"))
    ]: i32, isize;
    [("type", Json::Text("integer")), ("minimum", Json::Raw("-32768")), ("maximum", Json::Raw("32767"))]: i16;
    [("type", Json::Text("integer")), ("minimum", Json::Raw("-128")), ("maximum", Json::Raw("127"))]: i8;
    [
        ("type", Json::Text("string")),
        // RFC 9110, section 5.6.2.
        ("pattern", Json::Text("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")),
        ("title", Json::Text("the name of a header field"))
    ]: FieldName;
}

impl<T: Schema> Schema for Option<T> {
    const SCHEMA: &'static Object = T::SCHEMA;
}

impl<T: Schema> Schema for Box<T> {
    const SCHEMA: &'static Object = T::SCHEMA;
}

impl<T: Schema> Schema for Vec<T> {
    const SCHEMA: &'static Object =
        &Object { base: None, own: &[("type", Json::Text("array")), ("items", Json::Object(T::SCHEMA))] };
}

impl<T: Schema> Schema for Box<[T]> {
    const SCHEMA: &'static Object = <Vec<T>>::SCHEMA;
}

impl<T: Schema> Schema for BTreeSet<T> {
    const SCHEMA: &'static Object = <Vec<T>>::SCHEMA;
}

impl<T: Schema, S> Schema for HashSet<T, S> {
    const SCHEMA: &'static Object = <Vec<T>>::SCHEMA;
}

impl<K: Schema, V: Schema> Schema for BTreeMap<K, V> {
    const SCHEMA: &'static Object = &Object {
        base: None,
        own: &[
            ("type", Json::Text("object")),
            ("propertyNames", Json::Object(K::SCHEMA)),
            ("additionalProperties", Json::Object(V::SCHEMA)),
        ],
    };
}

impl<K: Schema, V: Schema, S> Schema for HashMap<K, V, S> {
    const SCHEMA: &'static Object = <BTreeMap<K, V>>::SCHEMA;
}

macro_rules! of_tuples {
    ($($length:literal: $($type:ident)+;)+) => {
        $(
            impl<$($type: Schema),+> Schema for ($($type,)+) {
                const SCHEMA: &'static Object = &Object {
                    base: None,
                    own: &[
                        ("type", Json::Text("array")),
                        ("prefixItems", Json::List(&[$(Json::Object($type::SCHEMA)),+])),
                        ("items", Json::Raw("false")),
                        ("minItems", Json::Raw($length)),
                    ],
                };
            }
        )+
    };
}

of_tuples! {
    "2": A B;
    "3": A B C;
    "4": A B C D;
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use tollgate_filter_macros::Schema;

    use super::*;

    fn of<T: Schema>() -> serde_json::Value {
        serde_json::from_str(&T::SCHEMA.to_text()).unwrap()
    }

    #[test]
    fn types_of_the_library_are_known() {
        let map = of::<HashMap<String, Vec<(u8, Option<bool>)>>>();
        let pair = r#"{"type":"array","prefixItems":[{"type":"integer","minimum":0,"maximum":255},{"type":"boolean"}],
            "items":false,"minItems":2}"#;
        let expected = format!(
            r#"{{"type":"object","propertyNames":{{"type":"string"}},"additionalProperties":{{"type":"array","items":{pair}}}}}"#
        );
        assert_eq!(map, serde_json::from_str::<serde_json::Value>(&expected).unwrap());
    }

    /// What it is about.
    ///
    /// And more.
    #[derive(Deserialize, Schema)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Whole {
        /// How many
        /// there are.
        #[schema(minimum = 1, default = 3)]
        #[serde(default)]
        how_many: u8,
        #[serde(rename = "else", alias = "otherwise")]
        other: Option<String>,
        kind: Kind,
        #[serde(skip)]
        made: std::time::Duration,
        by_hand: Hand,
        #[serde(with = "there")]
        #[schema(as = "String", examples = ["1s", "2s"])]
        period: u64,
    }

    mod there {
        pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(_: D) -> Result<u64, D::Error> {
            Ok(0)
        }
    }

    #[derive(Deserialize, Schema)]
    #[serde(transparent)]
    #[schema(as = "String", pattern = "^\\d+$")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Hand(u32);

    #[derive(Deserialize, Schema)]
    #[serde(rename_all = "UPPERCASE", rename_all_fields = "camelCase")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Kind {
        None,
        Some(u8),
        Named { at_most: bool },
    }

    #[test]
    fn a_struct_is_described_as_serde_reads_it() {
        let whole = of::<Whole>();
        assert_eq!(whole["description"], "What it is about.");
        assert_eq!(whole["additionalProperties"], false);
        assert_eq!(whole["required"], serde_json::json!(["kind", "by-hand", "period"]));
        let expected = serde_json::json!({
            "type": "integer", "minimum": 1, "maximum": 255, "default": 3, "description": "How many there are."
        });
        assert_eq!(whole["properties"]["how-many"], expected);
        assert_eq!(whole["properties"]["else"], serde_json::json!({ "type": "string" }));
        assert_eq!(whole["properties"]["otherwise"], serde_json::json!({ "type": "string" }));
        assert_eq!(whole["properties"]["made"], serde_json::Value::Null);
        assert_eq!(whole["properties"]["by-hand"], serde_json::json!({ "type": "string", "pattern": "^\\d+$" }));
        assert_eq!(whole["properties"]["period"], serde_json::json!({ "type": "string", "examples": ["1s", "2s"] }));
    }

    #[test]
    fn every_kind_of_variant_is_described() {
        let one = |name: &str, schema: serde_json::Value| {
            serde_json::json!({
                "type": "object", "properties": { name: schema }, "required": [name], "additionalProperties": false
            })
        };
        let number = serde_json::json!({ "type": "integer", "minimum": 0, "maximum": 255 });
        let named = serde_json::json!({
            "type": "object", "properties": { "atMost": { "type": "boolean" } }, "required": ["atMost"]
        });
        let expected = serde_json::json!({ "oneOf": [{ "enum": ["NONE"] }, one("SOME", number), one("NAMED", named)] });
        assert_eq!(of::<Kind>(), expected);
    }

    #[derive(Deserialize, Schema)]
    #[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Tagged {
        Off,
        On { level: u8 },
    }

    #[derive(Deserialize, Schema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Either {
        Switch(bool),
        Level { level: f32 },
    }

    #[derive(Deserialize, Schema)]
    #[serde(try_from = "Either")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Made(u8);

    impl TryFrom<Either> for Made {
        type Error = String;

        fn try_from(_: Either) -> Result<Self, String> {
            Ok(Self(0))
        }
    }

    #[test]
    fn variants_may_have_tags_or_none() {
        let off = serde_json::json!({
            "type": "object", "properties": { "type": { "const": "off" } }, "required": ["type"],
            "additionalProperties": false
        });
        assert_eq!(of::<Tagged>()["oneOf"][0], off);
        assert_eq!(of::<Tagged>()["oneOf"][1]["required"], serde_json::json!(["type", "level"]));
        let level = serde_json::json!({
            "type": "object", "properties": { "level": { "type": "number" } }, "required": ["level"]
        });
        assert_eq!(of::<Made>(), serde_json::json!({ "anyOf": [{ "type": "boolean" }, level] }));
    }
}
