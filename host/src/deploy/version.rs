//! A version of a policy: its module together with its entry.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::config::{FilterSource, Policy};
use crate::sandbox::Digest;

const BYTES: usize = 6;

/// Tells versions of a policy apart: a short digest of its module and of its entry, that is its configuration, its grants, its
/// limits, whatever is written. Comments and the order of keys make no other version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u8; BYTES]);

impl Version {
    /// Of a policy with that module.
    #[must_use]
    pub fn of(policy: &Policy, module: Digest) -> Self {
        let mut entry = policy.written.clone();
        if let Some(table) = entry.as_object_mut() {
            // The module is what counts, not its name.
            table.remove("filter");
            table.remove("every");
        }
        let kind = match policy.filter {
            FilterSource::Bundled { .. } => "bundled",
            FilterSource::Module { .. } | FilterSource::Pulled { .. } => "module",
        };
        let digest = Sha256::digest(format!("{module}\n{kind}\n{entry}"));
        let mut short = [0; BYTES];
        short.copy_from_slice(&digest[..BYTES]);
        Self(short)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({self})")
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no version; write the {} digits that `tollgate history` shows", BYTES * 2);
        if text.len() != BYTES * 2 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut version = [0; BYTES];
        for (byte, place) in version.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[place..place + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(version))
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
