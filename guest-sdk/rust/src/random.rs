//! Random numbers that nobody can foresee, for policies that are granted them: `grants = { random = true }`.
//!
//! Not in [`check`](crate::Filter::check): instances may begin from a copy of what it left, with the same numbers in all.

use crate::host;

/// So many random bytes, 1024 at most; more is a trap.
#[must_use]
pub fn bytes(count: u32) -> Vec<u8> {
    host::get_bytes(count)
}

/// A random number; each is as likely as any other.
#[must_use]
pub fn number() -> u64 {
    host::get_u64()
}
