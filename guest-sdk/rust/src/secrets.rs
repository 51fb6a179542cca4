//! Secrets by name, for policies that are granted them: `grants = { secrets = ["signing-key"] }`.

use std::fmt;
use std::ops::Deref;

use crate::host;

/// The bytes of a secret. It is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// The secret as it is now; none if the policy is not granted one of that name.
///
/// Secrets are exchanged while the filter runs, which is not configured again for that. So ask whenever it is needed, rather
/// than keep it. In [`check`](crate::Filter::check) it can be seen whether it is there.
#[must_use]
pub fn get(name: &str) -> Option<Secret> {
    host::secret(name).map(Secret)
}

impl Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}
