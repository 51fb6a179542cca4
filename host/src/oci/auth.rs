//! How a registry wants to be asked: the challenge of a 401, and the answer to it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;

use super::Error;
use super::credentials::Credentials;

/// What a registry asks for (RFC 9110, section 11.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A name and a password.
    Basic,
    /// A token of somebody else.
    Bearer {
        /// Where tokens are.
        realm: String,
        /// What for.
        service: Option<String>,
        /// What the token has to allow, if the registry says so.
        scope: Option<String>,
    },
}

impl Challenge {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let all = headers.get_all(header::WWW_AUTHENTICATE).iter();
        all.filter_map(|value| value.to_str().ok()).find_map(Self::read)
    }

    /// The first in the value of a field that is known.
    #[must_use]
    pub fn read(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim_start().split_once(' ').unwrap_or((value.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let find = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        Some(Self::Bearer { realm: find("realm")?, service: find("service"), scope: find("scope") })
    }
}

/// `key="value"` pairs, as far as they can be read.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((key, rest)) = text.split_once('=') {
        let key = key.trim_matches([' ', ',', '\t']).to_owned();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = rest.find([',', ' ']).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        found.push((key, value));
        text = rest;
    }
    found
}

/// A quoted string without its first quote, and what follows it.
fn unquote(text: &str) -> (String, &str) {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &text[at + 1..]),
            c => value.push(c),
        }
    }
    (value, "")
}

/// `Authorization` for a name and a password.
pub(super) fn basic(user: &str, password: &str) -> Result<HeaderValue, Error> {
    secret(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

/// `Authorization` for a token.
pub(super) fn bearer(token: &str) -> Result<HeaderValue, Error> {
    secret(format!("Bearer {token}"))
}

fn secret(text: String) -> Result<HeaderValue, Error> {
    let value = HeaderValue::from_maybe_shared(bytes::Bytes::from(text));
    let mut value = value.map_err(|_| Error::wrong("the credential", "has characters that cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The token in what a realm answers.
pub(super) fn token(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    answer.token.or(answer.access_token).filter(|token| !token.is_empty())
}

/// The query that a realm is asked with.
pub(super) fn token_query(service: Option<&str>, scope: &str) -> String {
    let service = service.map(|service| format!("service={}&", encoded(service))).unwrap_or_default();
    format!("{service}scope={}", encoded(scope))
}

/// The form that a realm is asked with by those who have a refresh token.
pub(super) fn token_form(service: Option<&str>, scope: &str, refresh: &str) -> String {
    format!(
        "grant_type=refresh_token&client_id=tollgate&refresh_token={}&{}",
        encoded(refresh),
        token_query(service, scope)
    )
}

/// All but unreserved characters of RFC 3986 encoded.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

impl Credentials {
    /// What answers a request for a name and a password.
    pub(super) fn basic(&self) -> Option<Result<HeaderValue, Error>> {
        match self {
            Self::Password { user, password } => Some(basic(user, password)),
            Self::None | Self::Refresh(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read() {
        let bearer = Challenge::read(r#"Bearer realm="https://a.example/token",service="r \"q\"", scope=x"#);
        let expected = Challenge::Bearer {
            realm: "https://a.example/token".into(),
            service: Some("r \"q\"".into()),
            scope: Some("x".into()),
        };
        assert_eq!(bearer, Some(expected));
        assert_eq!(Challenge::read("basic realm=\"x\""), Some(Challenge::Basic));
        for none in ["", "Negotiate", "Bearer", "Bearer realm", "Bearer service=\"x\"", "Bearer realm=\"x"] {
            assert!(!matches!(Challenge::read(none), Some(Challenge::Basic)), "{none}");
        }
    }

    #[test]
    fn a_realm_is_asked_in_full() {
        assert_eq!(token_query(Some("a b"), "repository:x:pull"), "service=a%20b&scope=repository%3Ax%3Apull");
        assert_eq!(token(br#"{"access_token":"t"}"#).as_deref(), Some("t"));
        assert_eq!(token(b"[]"), None);
    }
}
