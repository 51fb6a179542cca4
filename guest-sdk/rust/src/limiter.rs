//! Rate limits that hold across all workers of the gateway.

pub use crate::bindings::tollgate::filter::limiter::{Decision, Limit};
use crate::host;

/// Counts a request of the given cost (at least 1) against a key. Keys are private to the policy.
///
/// Not possible in [`check`](crate::Filter::check).
pub fn take(key: impl AsRef<[u8]>, limit: Limit, cost: u32) -> Decision {
    host::take(key.as_ref(), limit, cost)
}
