//! Schemas, and configurations that are held to them: whatever either says, all ends soon, the same twice, and no text quotes a
//! value, which may be a secret.

use serde_json::Value;
use tollgate::manifest::{Carried, MANIFEST};

/// A schema, and a configuration after the first line feed.
pub fn run(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (schema, config) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    // It has to be one value, and not a part of the manifest around it.
    let (Ok(schema), Ok(config)) = (serde_json::from_slice::<Value>(schema), serde_json::from_slice::<Value>(config))
    else {
        return;
    };
    let manifest = format!(r#"{{"format":1,"name":"a","version":"1","schema":{schema}}}"#);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    crate::append_section(&mut module, MANIFEST, manifest.as_bytes());
    let Ok(Carried { manifest: Some(manifest), .. }) = Carried::read(&module) else { return };
    let Some(read) = manifest.schema else { return };
    let violations = read.violations(&config);
    assert_eq!(violations, read.violations(&config), "it depends on more than the two");
    let (mut values, mut keys) = (Vec::new(), schema.to_string());
    collect(&config, &mut values, &mut keys);
    for violation in &violations {
        assert!(!violation.message.is_empty(), "rejected without a reason");
        let told = format!("{} {}", violation.message, violation.remedy);
        // What the schema or a key says as well may come from there, and what is short may be anything.
        let quoted = |value: &&String| value.len() > 12 && told.contains(&***value) && !keys.contains(&***value);
        assert_eq!(values.iter().find(quoted), None, "{told}");
    }
}

/// The texts among the values, and all keys.
fn collect(value: &Value, values: &mut Vec<String>, keys: &mut String) {
    match value {
        Value::String(text) => values.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, values, keys)),
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            keys.push_str(key);
            collect(value, values, keys);
        }),
        _ => {}
    }
}

/// Schemas with many keywords, each with a configuration that does not fit.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::texts([
        "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"maxLength\":3}},\"required\":[\"b\"],\
         \"additionalProperties\":false}\n{\"a\":\"a secret of many letters\",\"c\":1}",
        "{\"$ref\":\"#/$defs/n\",\"$defs\":{\"n\":{\"anyOf\":[{\"type\":\"null\"},{\"items\":{\"$ref\":\"#/$defs/n\"}}]}}}\n[[[null,{}]]]",
        "{\"oneOf\":[{\"const\":1},{\"enum\":[1,2]},{\"pattern\":\"^a+$\"}]}\n\"another secret of many letters\"",
        "{\"if\":{\"minimum\":3},\"then\":{\"multipleOf\":0.5},\"else\":{\"exclusiveMaximum\":1e300}}\n2.75",
        "{\"prefixItems\":[{}],\"contains\":{\"type\":\"integer\"},\"minContains\":2,\"uniqueItems\":true}\n[1,1,\"x\",1.0]",
        "{\"patternProperties\":{\"^x\":{\"not\":{}}},\"propertyNames\":{\"minLength\":2},\"dependentRequired\":{\"x\":[\"y\"]}}\n{\"x\":1}",
        "{\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#\"}]}},\"properties\":{\"p\":{\"$ref\":\"#/$defs/a\"}}}\n{\"p\":{\"p\":{\"p\":{}}}}",
    ])
}
