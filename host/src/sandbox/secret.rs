//! Secrets: what filters are given by name, what is exchanged while they run, and what no log and no page ever shows.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use zeroize::Zeroizing;

/// The largest secret, in bytes.
pub const MAX_SECRET: usize = 64 << 10;

/// The bytes of a secret at one time. They are wiped when nobody needs them any more.
#[derive(PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Takes them over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// For the one who asked for them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A secret of the configuration, whatever it is at the moment.
#[derive(Debug)]
pub struct Secret(ArcSwap<SecretValue>);

impl Secret {
    /// With its first value.
    #[must_use]
    pub fn new(value: SecretValue) -> Self {
        Self(ArcSwap::from_pointee(value))
    }

    /// As it is now. Counts no reference, as workers would share the counter.
    #[must_use]
    pub fn value(&self) -> Guard<Arc<SecretValue>> {
        self.0.load()
    }

    /// Exchanges it: whoever asks next gets the new one.
    pub fn set(&self, value: SecretValue) {
        if **self.0.load() != value {
            self.0.store(Arc::new(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_exchanged_and_never_printed() {
        let secret = Secret::new(SecretValue::new(b"first".to_vec()));
        let older = secret.value();
        secret.set(SecretValue::new(b"second".to_vec()));
        assert_eq!((older.bytes(), secret.value().bytes()), (&b"first"[..], &b"second"[..]));
        let printed = format!("{secret:?} {older:?}");
        assert!(!printed.contains("first") && !printed.contains("second") && printed.contains("[secret]"), "{printed}");
    }
}
