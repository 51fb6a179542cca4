//! The value of a fact.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// The bytes of a field or of another fact. Field values need not be UTF-8 (RFC 9110, section 5.5).
///
/// Borrowed from the gateway's buffer where the fact was declared, so it costs nothing; it lives as long as the hook
/// runs, also while the message is edited.
///
/// ```
/// use tollgate_filter::Value;
///
/// let value = Value::from("GET");
/// assert!(value == "GET" && value.starts_with(b"G") && value.to_str() == Some("GET"));
/// ```
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Value<'a>(Cow<'a, [u8]>);

impl Value<'_> {
    /// The value as text, if it is UTF-8.
    #[must_use]
    pub fn to_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The value as text; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The value's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value's bytes, copied only if they are borrowed.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_owned()
    }
}

impl Deref for Value<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Value<'_> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Cow::Owned(bytes))
    }
}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl PartialEq<&str> for Value<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq<[u8]> for Value<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        *self.0 == *other
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_text().fmt(formatter)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_text().fmt(formatter)
    }
}
