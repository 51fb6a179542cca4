//! The configuration, and the limit that it describes.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use tollgate_filter::FieldName;
use tollgate_filter::limiter::Limit;
use tollgate_filter::prelude::{Deserialize, Schema};

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimit {
    /// Requests in each period, on average.
    #[schema(minimum = 1)]
    requests: u32,
    /// The period, at most a year.
    per: Period,
    /// Requests at once; as many as `requests` without it.
    #[schema(minimum = 1)]
    burst: Option<u32>,
    /// What requests are counted by.
    #[schema(default = "client-address")]
    #[serde(default)]
    pub(crate) key: Key,
    /// Whether allowed responses carry `RateLimit` fields too.
    #[schema(default = false)]
    #[serde(default)]
    pub(crate) headers: bool,
}

/// What requests are counted by.
#[derive(Default, Schema)]
#[schema(
    as = "String",
    pattern = "^(client-address|consumer|subject|header:.+)$",
    title = "\"client-address\", \"consumer\", \"subject\" or \"header:NAME\""
)]
pub(crate) enum Key {
    #[default]
    ClientAddress,
    Consumer,
    Subject,
    Header(FieldName),
}

/// Milliseconds.
#[derive(Clone, Copy, Schema)]
#[schema(as = "String", pattern = "^[0-9]+(ms|s|m|h)$", examples = ["1s", "500ms", "1h"])]
struct Period(u64);

impl Key {
    /// Whether it means something only together with who says so.
    pub(crate) fn has_issuer(&self) -> bool {
        matches!(self, Self::Subject)
    }
}

impl RateLimit {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.requests == 0 {
            return Err("requests: is 0, so nobody could pass; write at least 1".into());
        }
        if self.burst == Some(0) {
            return Err("burst: is 0, so nobody could pass; write at least 1, or leave it out".into());
        }
        Ok(())
    }

    pub(crate) fn limit(&self) -> Limit {
        Limit { requests: self.requests, period_ms: self.per.0, burst: self.burst.unwrap_or(self.requests) }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(parse_period, "a time such as \"1s\""))
    }
}

fn parse_period(text: &str) -> Result<Period, String> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    let unit = match text.get(number.len()..) {
        Some("ms") => 1,
        Some("s") => 1000,
        Some("m") => 60_000,
        Some("h") => 3_600_000,
        _ => 0,
    };
    let period = number.parse().ok().and_then(|number: u64| number.checked_mul(unit)).unwrap_or(0);
    // The longest is a year: the limiter reckons in nanoseconds.
    if (1..=31_536_000_000).contains(&period) {
        Ok(Period(period))
    } else {
        Err(["`", text, "` is not a time; write a whole number with ms, s, m or h, such as \"1s\""].concat())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(parse_key, "what to count by, such as \"client-address\""))
    }
}

fn parse_key(text: &str) -> Result<Key, String> {
    match text {
        "client-address" => Ok(Key::ClientAddress),
        "consumer" => Ok(Key::Consumer),
        "subject" => Ok(Key::Subject),
        _ => match text.strip_prefix("header:") {
            Some(name) => FieldName::new(name).map(Key::Header),
            None => {
                Err(["`", text, "` is unknown; write \"client-address\", \"consumer\", \"subject\" or \"header:NAME\""]
                    .concat())
            }
        },
    }
}

/// A text that is parsed, and what is expected of it.
struct Text<T>(fn(&str) -> Result<T, String>, &'static str);

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.1)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.0(text).map_err(E::custom)
    }
}
