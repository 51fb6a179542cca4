//! Where something is in a JSON document.

use std::fmt;

use serde::de::{Deserializer, Error};
use tollgate_filter::prelude::{Deserialize, Schema};

/// A JSON Pointer (RFC 6901) that is not empty, in which a step `*` is every member or element.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd, Schema)]
#[schema(as = "String", pattern = "^/")]
pub(crate) struct Pointer(String);

impl Pointer {
    /// Its steps, with `~1` for a slash and `~0` for a tilde read as what they stand for.
    pub(crate) fn steps(&self) -> impl Iterator<Item = String> {
        self.0.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.starts_with('/') {
            Ok(Self(text))
        } else {
            Err(D::Error::custom(["`", &*text, "` is no place in a document; one begins with `/`"].concat()))
        }
    }
}
