//! What is hidden in a capture: credentials by the names that they go by, and what the policy says besides.

use serde_json::{Map, Value};

use crate::config::Capture;

/// What stands in the place of a hidden value.
pub(super) const HIDDEN: &str = "redacted";

/// Fields that hold credentials.
const FIELDS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// Parts of the names that credentials go by.
const PARTS: [&str; 10] =
    ["secret", "token", "passw", "credential", "session", "api-key", "apikey", "private", "signature", "jwt"];

/// Fields that hold addresses, whose queries may hold anything.
const ADDRESSES: [&str; 4] = ["referer", "location", "content-location", "x-original-uri"];

/// Knows what to hide for one policy.
pub(super) struct Redact<'a>(pub(super) &'a Capture);

impl Redact<'_> {
    /// The value of a field or an attribute, as it may be kept.
    pub(super) fn field(&self, name: &str, value: &[u8]) -> Vec<u8> {
        if self.hides(name) {
            HIDDEN.into()
        } else if ADDRESSES.contains(&name) {
            self.address(&String::from_utf8_lossy(value)).into_bytes()
        } else {
            value.to_vec()
        }
    }

    /// An address without the values of its query, but for those that are kept.
    pub(super) fn address(&self, address: &str) -> String {
        let Some((path, query)) = address.split_once('?') else { return address.to_owned() };
        let parameter = |parameter: &str| match parameter.split_once('=') {
            Some((name, _)) if !self.0.query.iter().any(|kept| kept == name) => format!("{name}={HIDDEN}"),
            Some(_) => parameter.to_owned(),
            // Without a name it is a value.
            None if parameter.is_empty() || self.0.query.iter().any(|kept| kept == parameter) => parameter.to_owned(),
            None => HIDDEN.to_owned(),
        };
        let query: Vec<_> = query.split('&').map(parameter).collect();
        format!("{path}?{}", query.join("&"))
    }

    /// A configuration, with texts hidden by the key that they are under.
    pub(super) fn configuration(&self, value: &Value) -> Value {
        self.under(false, value)
    }

    fn under(&self, is_hidden: bool, value: &Value) -> Value {
        match value {
            Value::String(_) if is_hidden => Value::from(HIDDEN),
            Value::Array(values) => values.iter().map(|value| self.under(is_hidden, value)).collect(),
            Value::Object(entries) => {
                let entry = |(key, value): (&String, &Value)| {
                    let is_hidden = is_hidden || self.hides(&key.to_ascii_lowercase());
                    (key.clone(), self.under(is_hidden, value))
                };
                Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    fn hides(&self, name: &str) -> bool {
        let plain = name.replace('_', "-");
        FIELDS.contains(&name)
            || PARTS.iter().any(|part| plain.contains(part))
            || self.0.redact.iter().any(|hidden| hidden == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Capture {
        let (query, redact) = (vec!["page".to_owned()], vec!["x-patient".to_owned()]);
        Capture { directory: "captures".into(), max: 1, bodies: 0, query, redact }
    }

    #[test]
    fn credentials_are_known_by_their_names() {
        let settings = settings();
        let redact = Redact(&settings);
        for name in ["authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token", "x-patient", "x_session_id"]
        {
            assert_eq!(redact.field(name, b"s3cret"), b"redacted", "{name}");
        }
        for name in ["accept", "x-request-id", "host"] {
            assert_eq!(redact.field(name, b"value"), b"value", "{name}");
        }
    }

    #[test]
    fn a_query_keeps_its_names() {
        let settings = settings();
        let redact = Redact(&settings);
        assert_eq!(redact.address("/a?page=2&key=s3cret&s3cret"), "/a?page=2&key=redacted&redacted");
        assert_eq!(redact.address("/a"), "/a");
        assert_eq!(redact.field("referer", b"https://a.test/?code=s3cret"), b"https://a.test/?code=redacted");
    }

    #[test]
    fn a_configuration_keeps_its_shape() {
        let configuration = serde_json::json!({
            "issuer": "a", "client_secret": "s", "tokens": ["t", { "id": "u", "age": 1 }], "keys": [{ "sha256": "d" }]
        });
        let hidden = serde_json::json!({
            "issuer": "a", "client_secret": "redacted", "tokens": ["redacted", { "id": "redacted", "age": 1 }],
            "keys": [{ "sha256": "d" }]
        });
        let settings = settings();
        assert_eq!(Redact(&settings).configuration(&configuration), hidden);
    }
}
