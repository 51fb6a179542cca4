//! What filters get from outside themselves that is never twice the same. Tests of filters put something in its place.

use std::fmt::Debug;

use crate::store::Decision;

/// Where time, random numbers and the answers of rate limits come from, if not from the machine.
pub trait Sources: Debug + Send + Sync {
    /// Nanoseconds since the Unix epoch.
    fn wall_clock(&self) -> u64;

    /// Nanoseconds since some moment; never goes back.
    fn monotonic_clock(&self) -> u64;

    /// So many bytes.
    fn random(&self, count: usize) -> Vec<u8>;

    /// What is said to a request that is counted against a limit; none for what the limit itself says.
    fn decision(&self) -> Option<Decision>;

    /// Whether no store can be reached.
    fn has_outage(&self) -> bool;
}
