//! Messages as the tests see them.

use serde_json::Value;

/// Header or trailer fields in the order received, with their names as sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The value of the only field of that name, none if there is none.
    #[must_use]
    #[track_caller]
    pub fn get(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} is there {} times: {all:?}", all.len());
        all.first().copied()
    }

    /// The values of all fields of that name.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// Adds a field.
    pub fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }
}

/// A start line with its fields.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The request line or status line.
    pub line: String,
    /// The header fields.
    pub fields: Fields,
}

impl Head {
    /// The status, if this is the head of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.line.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()
    }
}

/// A response as it was received.
#[derive(Clone, Debug)]
pub struct Response {
    /// `HTTP/1.1`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub fields: Fields,
    /// The content, without its framing.
    pub body: Vec<u8>,
    /// Trailer fields, if it was chunked and had any.
    pub trailers: Fields,
    /// Whether the body came to the end that its framing promised.
    pub complete: bool,
}

impl Response {
    /// The value of the only field of that name.
    #[must_use]
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    /// The content as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The content as JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What an echoing upstream says that it received.
    #[must_use]
    #[track_caller]
    pub fn echo(&self) -> Echo {
        assert_eq!(self.status, 200, "{}", self.text());
        Echo::of(&self.json())
    }

    /// The `detail` of a problem document (RFC 9457), of which everything else is checked here.
    #[must_use]
    #[track_caller]
    pub fn problem(&self) -> String {
        assert_eq!(self.field("content-type"), Some("application/problem+json"), "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], self.status, "{document}");
        assert!(document["title"].is_string(), "{document}");
        document["detail"].as_str().unwrap_or_default().to_owned()
    }
}

/// A request as an echoing upstream received it.
#[derive(Clone, Debug)]
pub struct Echo {
    /// The method.
    pub method: String,
    /// The request target.
    pub path: String,
    /// The header fields.
    pub fields: Fields,
    /// The content.
    pub body: String,
    /// Trailer fields.
    pub trailers: Fields,
}

impl Echo {
    /// The value of the only field of that name.
    #[must_use]
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }

    fn of(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Self {
            method: text("method"),
            path: text("path"),
            fields: fields_of(&value["headers"]),
            body: text("body"),
            trailers: fields_of(&value["trailers"]),
        }
    }
}

fn fields_of(pairs: &Value) -> Fields {
    let pair = |pair: &Value| {
        (pair[0].as_str().unwrap_or_default().to_owned(), pair[1].as_str().unwrap_or_default().to_owned())
    };
    Fields(pairs.as_array().into_iter().flatten().map(pair).collect())
}
