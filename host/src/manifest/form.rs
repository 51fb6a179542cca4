//! A schema in words: what to write.

use serde_json::Value;

/// How many references are followed one after another, and how deep words go.
const DEPTH: usize = 6;
/// The longest text of the author's that is quoted, in characters.
const MAX_QUOTED: usize = 200;

/// What a reference within the schema means (RFC 6901).
fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// What a value of this schema looks like.
pub(super) fn of(schema: &Value, root: &Value) -> String {
    words(schema, root, DEPTH)
}

/// The schema that a schema refers to, or itself.
pub(super) fn meant<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..DEPTH {
        match schema.get("$ref").and_then(Value::as_str).and_then(|reference| resolve(root, reference)) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// What the author says about it.
pub(super) fn description(schema: &Value, root: &Value) -> Option<String> {
    let said = schema.get("description").or_else(|| meant(schema, root).get("description"))?;
    said.as_str().map(plain).filter(|text| !text.is_empty())
}

/// A text of the author's for a line of a terminal.
pub(super) fn plain(text: &str) -> String {
    let mut plain: String =
        text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(MAX_QUOTED).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        plain.push('…');
    }
    plain
}

/// A value of the schema's, such as a default, as TOML has it.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, member)| format!("{name} = {}", self::value(member))).collect();
            plain(&format!("{{ {} }}", members.join(", ")))
        }
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(self::value).collect();
            plain(&format!("[{}]", values.join(", ")))
        }
        other => plain(&other.to_string()),
    }
}

fn words(schema: &Value, root: &Value, depth: usize) -> String {
    let schema = meant(schema, root);
    if let Some(title) = schema.get("title").and_then(Value::as_str) {
        return plain(title);
    }
    if let Some(constant) = schema.get("const") {
        return value(constant);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return alternatives(values.iter().map(value).collect());
    }
    let branches = ["oneOf", "anyOf"].iter().find_map(|keyword| schema.get(*keyword)?.as_array());
    if let Some(branches) = branches.filter(|_| depth > 0) {
        let mut forms: Vec<_> = branches.iter().map(|branch| words(branch, root, depth - 1)).collect();
        forms.dedup();
        return alternatives(forms);
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return "any value".to_owned(),
    };
    alternatives(types.into_iter().map(|name| of_type(name, schema, root, depth)).collect())
}

fn of_type(name: &str, schema: &Value, root: &Value, depth: usize) -> String {
    match name {
        "boolean" => "true or false".to_owned(),
        "integer" => format!("a whole number{}", bounds(schema, "minimum", "maximum")),
        "number" => format!("a number{}", bounds(schema, "minimum", "maximum")),
        "string" => of_text(schema),
        "array" => {
            let items = schema.get("items").filter(|items| items.is_object() && depth > 0);
            let items = items.map_or_else(String::new, |items| format!(" of {}", words(items, root, depth - 1)));
            format!("a list{items}{}", bounds(schema, "minItems", "maxItems"))
        }
        "object" => match schema.get("properties").and_then(Value::as_object) {
            Some(properties) if depth < DEPTH && !properties.is_empty() => {
                let names: Vec<_> = properties.keys().take(8).map(|name| plain(name)).collect();
                format!("a table with {}", names.join(", "))
            }
            _ => "a table".to_owned(),
        },
        "null" => "nothing".to_owned(),
        _ => "any value".to_owned(),
    }
}

fn of_text(schema: &Value) -> String {
    let examples = schema.get("examples").and_then(Value::as_array).filter(|examples| !examples.is_empty());
    if let Some(examples) = examples {
        let shown: Vec<_> = examples.iter().take(3).map(value).collect();
        return format!("text such as {}", shown.join(", "));
    }
    match schema.get("pattern").and_then(Value::as_str) {
        Some(pattern) => format!("text that matches {}", plain(pattern)),
        None => format!("text{}", bounds(schema, "minLength", "maxLength")),
    }
}

/// The bounds that an author means. What every number of a type is bounded by says nothing.
fn bounds(schema: &Value, least: &str, most: &str) -> String {
    let least = schema.get(least).filter(|least| least.as_f64().is_some_and(|least| least > -32_768.0));
    let most = schema.get(most).filter(|most| most.as_f64().is_some_and(|most| most < 2_147_483_647.0));
    let is_natural = |least: &Value| least.as_u64() == Some(0);
    match (least, most) {
        (Some(least), Some(most)) if least == most => format!(", {least}"),
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) if !is_natural(least) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        _ => String::new(),
    }
}

fn alternatives(mut forms: Vec<String>) -> String {
    const MOST: usize = 16;
    if forms.len() > MOST {
        forms.truncate(MOST);
        forms.push("…".to_owned());
    }
    match forms.pop() {
        None => "nothing".to_owned(),
        Some(last) if forms.is_empty() => last,
        Some(last) => format!("{} or {last}", forms.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_are_put_into_words() {
        let root = json!({ "$defs": { "kind": { "enum": ["a", 1, true] } } });
        let cases = [
            (json!({ "$ref": "#/$defs/kind" }), "\"a\", 1 or true"),
            (json!({ "type": "integer", "minimum": 0, "maximum": 4294967295u64 }), "a whole number"),
            (json!({ "type": "integer", "minimum": 1, "maximum": 4294967295u64 }), "a whole number, at least 1"),
            (json!({ "type": "integer", "minimum": 0, "maximum": 255 }), "a whole number from 0 to 255"),
            (json!({ "type": "string", "pattern": "^a$", "examples": ["1s"] }), "text such as \"1s\""),
            (json!({ "type": "string", "pattern": "^a\n$" }), "text that matches ^a $"),
            (
                json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 1 }),
                "a list of true or false, at least 1",
            ),
            (
                json!({ "oneOf": [{ "const": "x" }, { "type": "object", "properties": { "y": {} } }] }),
                "\"x\" or a table with y",
            ),
            (json!({ "type": ["string", "null"] }), "text or nothing"),
            (json!({}), "any value"),
            (json!(true), "any value"),
        ];
        for (schema, expected) in cases {
            assert_eq!(of(&schema, &root), expected, "{schema}");
        }
    }

    #[test]
    fn values_are_written_as_in_toml() {
        assert_eq!(value(&json!({ "a": [1, "b"], "c": {} })), "{ a = [1, \"b\"], c = {} }");
    }
}
