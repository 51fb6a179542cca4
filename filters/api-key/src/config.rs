//! The configuration, and the keys as they are looked up.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::{fmt, mem};

use serde::de::{Deserializer, Error, Visitor};
use subtle::ConstantTimeEq;
use tollgate_filter::FieldName;
use tollgate_filter::prelude::{Deserialize, Schema};

use crate::recent::Recent;

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKey {
    /// The header field that the key is in.
    #[schema(default = "x-api-key")]
    #[serde(default = "x_api_key")]
    pub(crate) header: FieldName,
    /// The query parameter that the key may be in instead.
    #[schema(pattern = "^[A-Za-z0-9._~-]+$", title = "the name of a parameter")]
    pub(crate) query: Option<String>,
    /// Whether the key stays in the request.
    #[schema(default = false)]
    #[serde(default)]
    pub(crate) forward: bool,
    /// The known keys.
    ///
    /// In the order of their digests once they are prepared.
    #[schema(min_items = 1)]
    #[expect(clippy::vec_box, reason = "sorting pointers is a tenth of the code of sorting keys")]
    keys: Vec<Box<Key>>,
    /// The value of `www-authenticate`.
    #[serde(skip)]
    pub(crate) challenge: String,
    /// What a client is told that has sent no key.
    #[serde(skip)]
    pub(crate) missing: String,
    /// Keys that have been found.
    #[serde(skip)]
    pub(crate) recent: Recent,
}

/// A known key.
///
/// Keys are ordered by their digests.
#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
struct Key {
    /// Whose key it is.
    #[schema(min_length = 1)]
    consumer: String,
    /// The digest of the key, as `printf %s KEY | sha256sum` prints it.
    sha256: Digest,
    /// Where it is in the configuration, for messages.
    #[serde(skip)]
    position: usize,
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd, Schema)]
#[schema(as = "String", pattern = "^[0-9A-Fa-f]{64}$", title = "64 hexadecimal digits")]
struct Digest([u8; 32]);

impl ApiKey {
    pub(crate) fn prepare(&mut self) -> Result<(), String> {
        if self.header.is_reserved() {
            return Err(format!("header: `{}` cannot carry a key; use a header of its own", &*self.header));
        }
        if self.query.as_ref().is_some_and(|name| name.is_empty() || !name.bytes().all(is_parameter_character)) {
            return Err("query: is not the name of a parameter; use letters, digits, `-`, `.` and `_`".into());
        }
        if self.keys.is_empty() {
            return Err("keys: is empty, so nobody could pass; add `consumer` and `sha256` of a key".into());
        }
        for (position, key) in self.keys.iter_mut().enumerate() {
            check_consumer(position, &key.consumer)?;
            key.position = position;
        }
        // Not `sort`, which alone would be a third of the filter's code.
        self.keys = BinaryHeap::from(mem::take(&mut self.keys)).into_sorted_vec();
        self.check_duplicates()?;
        self.challenge = format!("ApiKey in=\"header\", name=\"{}\"", &*self.header);
        self.missing = format!("Send an API key in the header `{}`", &*self.header);
        if let Some(query) = &self.query {
            self.missing.push_str(&format!(" or the query parameter `{query}`"));
        }
        self.missing.push('.');
        Ok(())
    }

    fn check_duplicates(&self) -> Result<(), String> {
        let same = self.keys.windows(2).find(|pair| pair[0].sha256 == pair[1].sha256);
        same.map_or(Ok(()), |pair| {
            let (first, second) = (pair[0].position.min(pair[1].position), pair[0].position.max(pair[1].position));
            Err(format!(
                "keys[{second}].sha256: is the same as in keys[{first}]; a key has one consumer, so remove one"
            ))
        })
    }

    /// Which key has that digest.
    ///
    /// The search branches on the digest. That tells nothing about a key: whoever measures it knows the digest of what
    /// they sent anyway, and cannot choose keys by the digests that they will have. Only the last comparison could tell
    /// how much of a right digest was met, so it takes the same time whatever it finds.
    pub(crate) fn position(&self, digest: &[u8; 32]) -> Option<usize> {
        let position = self.keys.partition_point(|key| key.sha256.0 < *digest).min(self.keys.len() - 1);
        bool::from(self.keys[position].sha256.0.ct_eq(digest)).then_some(position)
    }

    /// Whose key is at that position.
    pub(crate) fn consumer(&self, position: usize) -> &str {
        &self.keys[position].consumer
    }
}

fn check_consumer(position: usize, name: &str) -> Result<(), String> {
    if name.is_empty() || name.trim_ascii() != name || name.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(format!("keys[{position}].consumer: is empty, or has white space around it or control characters"));
    }
    Ok(())
}

fn x_api_key() -> FieldName {
    FieldName::from_static("x-api-key")
}

/// Unreserved characters, which no client encodes (RFC 3986, section 2.3).
fn is_parameter_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sha256.cmp(&other.sha256)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for Key {}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Hexadecimal)
    }
}

struct Hexadecimal;

impl Visitor<'_> for Hexadecimal {
    type Value = Digest;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("64 hexadecimal digits")
    }

    /// The message does not repeat the text, which may be the key itself.
    fn visit_str<E: Error>(self, text: &str) -> Result<Digest, E> {
        parse(text).ok_or_else(|| {
            E::custom(
                "is not a SHA-256 digest; write the 64 hexadecimal digits that `printf %s KEY | sha256sum` prints",
            )
        })
    }
}

fn parse(text: &str) -> Option<Digest> {
    if text.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = (high? << 4 | low?) as u8;
    }
    Some(Digest(digest))
}
