//! The keys of a configuration, as its schema has them: for a table that people read.

use serde_json::Value;

use super::form;

/// How deep keys are listed, and how many.
const DEPTH: usize = 6;
const MOST: usize = 500;

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its path, such as `keys[].sha256`.
    pub path: String,
    /// What to write.
    pub form: String,
    /// What it is without being written, as in TOML.
    pub default: Option<String>,
    /// Whether it must be there, if what it is in is there.
    pub is_required: bool,
    /// What its author says about it.
    pub description: Option<String>,
}

pub(super) fn list(schema: &Value) -> Vec<Key> {
    let mut keys = Vec::new();
    collect(schema, schema, "", DEPTH, &mut keys);
    keys
}

fn collect(schema: &Value, root: &Value, path: &str, depth: usize, keys: &mut Vec<Key>) {
    let schema = form::meant(schema, root);
    if depth == 0 || keys.len() >= MOST {
        return;
    }
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let name = form::plain(name);
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let default = property.get("default").or_else(|| form::meant(property, root).get("default"));
        keys.push(Key {
            form: form::of(property, root),
            default: default.map(form::value),
            is_required: required.contains(&name.as_str()),
            description: form::description(property, root),
            path: path.clone(),
        });
        collect(property, root, &path, depth - 1, keys);
    }
    if let Some(items) = schema.get("items") {
        collect(items, root, &format!("{path}[]"), depth - 1, keys);
    }
    if let Some(others) = schema.get("additionalProperties").filter(|others| others.is_object()) {
        collect(others, root, &format!("{path}.NAME"), depth - 1, keys);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_listed_with_what_is_in_them() {
        let schema = json!({
            "properties": {
                "keys": {
                    "type": "array", "description": "the known ones",
                    "items": { "type": "object", "properties": { "id": { "type": "string" } }, "required": ["id"] }
                },
                "limit": { "type": "integer", "default": 3 }
            },
            "required": ["keys"]
        });
        let keys = list(&schema);
        let shown: Vec<_> =
            keys.iter().map(|key| (key.path.as_str(), key.is_required, key.default.as_deref())).collect();
        assert_eq!(shown, [("keys", true, None), ("keys[].id", true, None), ("limit", false, Some("3"))]);
        assert_eq!(keys[0].description.as_deref(), Some("the known ones"));
    }
}
