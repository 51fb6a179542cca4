//! What time it is, for policies that are granted it: `grants = { clock = true }`. Calls cost a way into the gateway each.

use std::time::Duration;

use crate::host;

/// The time since 1970-01-01T00:00:00Z by the gateway's clock. It may jump, also back.
#[must_use]
pub fn now() -> Duration {
    Duration::from_nanos(host::now())
}

/// The time since a moment that is the same for all instances of the process. Never goes back: for measuring.
#[must_use]
pub fn monotonic() -> Duration {
    Duration::from_nanos(host::monotonic())
}
