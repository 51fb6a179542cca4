//! State that outlives exchanges: values, counters and leases in bounded name spaces, and rate limits. Knows nothing of
//! sandboxes; what filters may do with it is up to its callers.

mod clock;
mod granted;
mod limiter;
mod operation;
mod redis;
mod remote;
mod space;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

pub use clock::{Clock, Hand};
pub use granted::{SharedSpace, Spaces};
pub use limiter::{Decision, Limit, Limiter};
pub use operation::{Answer, Deed, Operation};
pub use redis::{Redis, RedisSettings};
pub use remote::Remote;
pub use space::{Moment, Space};

/// Names the holder of a lease: unlike every other of this process and, with all likelihood, of any.
fn token() -> u64 {
    static TOKENS: LazyLock<(RandomState, AtomicU64)> = LazyLock::new(Default::default);
    TOKENS.0.hash_one(TOKENS.1.fetch_add(1, Ordering::Relaxed))
}

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;

/// The longest value, in bytes.
pub const MAX_VALUE: usize = 64 << 10;

/// How many bytes a space may hold unless something else is said.
pub const SPACE_BYTES: u64 = 16 << 20;

/// Why an operation came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No such space, or not for this policy.
    #[error("there is no such space, or the policy was not granted it")]
    Denied,
    /// The policy may only read.
    #[error("the policy may only read the space")]
    ReadOnly,
    /// An empty or overlong key, or an overlong value.
    #[error("a key has 1 to {MAX_KEY} bytes, a value {MAX_VALUE} at most")]
    TooLarge,
    /// The bound of the space.
    #[error("the space is full")]
    Full,
    /// Something else than a number, or one that would not fit.
    #[error("what stands there is no counter, or would be beyond 64 bits")]
    NotACounter,
    /// The server behind the store.
    #[error("the store cannot be reached, or did not answer in time")]
    Unavailable,
}
