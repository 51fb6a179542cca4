//! The name of a header field, as a configuration gives it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// The name of a header field: a token (RFC 9110, section 5.6.2) in lower case. Reading it from a configuration finds
/// typing errors before the first request does.
///
/// ```
/// use tollgate_filter::FieldName;
///
/// assert_eq!(&*FieldName::new("X-API-Key").unwrap(), "x-api-key");
/// assert!(FieldName::new("x api key").is_err());
/// assert!(FieldName::new("content-length").unwrap().is_reserved());
/// ```
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FieldName(Cow<'static, str>);

/// Fields that frame the message or belong to the connection (RFC 9110, sections 7.2 and 7.6.1; RFC 9112, section 6).
const RESERVED: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl FieldName {
    /// The name, if it is one.
    ///
    /// # Errors
    ///
    /// Says that it is not.
    pub fn new(name: &str) -> Result<Self, String> {
        if is_token(name) {
            Ok(Self(name.to_ascii_lowercase().into()))
        } else {
            Err(["`", name, "` is not the name of a header field; use letters, digits and `-`"].concat())
        }
    }

    /// A name that is part of the program, such as a default.
    ///
    /// # Panics
    ///
    /// If it is not a name in lower case.
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        assert!(is_canonical(name), "not the name of a header field in lower case");
        Self(Cow::Borrowed(name))
    }

    /// Whether the field frames the message or belongs to the connection, so that filters cannot change it.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        RESERVED.contains(&&*self.0)
    }
}

impl Deref for FieldName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = FieldName;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a header field")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<FieldName, E> {
                FieldName::new(name).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// RFC 9110, section 5.6.2.
pub(crate) fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token_byte)
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

const fn is_canonical(name: &str) -> bool {
    let name = name.as_bytes();
    let mut index = 0;
    while index < name.len() {
        if !is_token_byte(name[index]) || name[index].is_ascii_uppercase() {
            return false;
        }
        index += 1;
    }
    !name.is_empty()
}
