//! Grants as the configuration has to say them, so that people can write down what a filter lacks.

use serde_json::{Map, Value, json};

use super::toml_text::toml_text;

/// The keys in the order in which they are shown.
const ORDER: [&str; 8] = ["clock", "random", "secrets", "read", "write", "body", "callouts", "store"];

/// The grants as written, with these added: keys, each with a name where it is a list of names. A name that nobody knows is
/// shown as `NAME`.
#[must_use]
pub fn grants_with<'a>(written: &Value, added: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let mut grants = written.as_object().cloned().unwrap_or_default();
    for (key, name) in added {
        match key {
            "body" | "clock" | "random" => drop(grants.insert(key.to_owned(), json!(true))),
            _ => add(&mut grants, key, name.unwrap_or("NAME")),
        }
    }
    let known = ORDER.iter().filter_map(|key| Some(format!("{key} = {}", toml(grants.get(*key)?))));
    format!("grants = {{ {} }}", known.collect::<Vec<_>>().join(", "))
}

fn add(grants: &mut Map<String, Value>, key: &str, name: &str) {
    // What is granted where nothing is written.
    let ordinary = if matches!(key, "read" | "write") { json!(["*"]) } else { json!([]) };
    let names = grants.entry(key.to_owned()).or_insert(ordinary);
    let Some(names) = names.as_array_mut() else { return };
    let is_there = names.iter().any(|other| other.as_str().or_else(|| other.get("name")?.as_str()) == Some(name));
    if !is_there {
        names.push(json!(name));
    }
}

fn toml(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name} = {}", toml(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        other => toml_text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_joins_what_is_written() {
        let written = json!({ "secrets": ["a"], "store": [{ "name": "s", "access": "read" }], "body": false });
        let added = [
            ("clock", None),
            ("secrets", Some("b")),
            ("store", Some("s")),
            ("read", Some("cookie")),
            ("callouts", None),
        ];
        assert_eq!(
            grants_with(&written, added.into_iter()),
            "grants = { clock = true, secrets = [\"a\", \"b\"], read = [\"*\", \"cookie\"], body = false, \
             callouts = [\"NAME\"], store = [{ access = \"read\", name = \"s\" }] }"
        );
        assert_eq!(grants_with(&Value::Null, [("body", None)].into_iter()), "grants = { body = true }");
    }
}
