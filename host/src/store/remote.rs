//! A part of a server's keys, and what stands in for it during an outage.

use std::sync::Arc;

use super::{Answer, Decision, Limit, Limiter, Operation, Redis, Space, StoreError};

/// What one policy, or several that share it, have on a server.
#[derive(Clone, Debug)]
pub struct Remote {
    redis: Arc<Redis>,
    prefix: Box<str>,
    stands_in: bool,
}

impl Remote {
    /// The keys of that kind (`policy`, `shared`) and name. With `stands_in`, this process answers during an outage.
    #[must_use]
    pub fn new(redis: Arc<Redis>, kind: &str, name: &str, stands_in: bool) -> Self {
        // Colons separate, so none may be in a name.
        let name = name.replace('%', "%25").replace(':', "%3A");
        let prefix = format!("{}{kind}:{name}:", redis.prefix()).into();
        Self { redis, prefix, stands_in }
    }

    /// Does something on the server, or with the space of this process that may stand in.
    ///
    /// # Errors
    /// As the operation; if there is no answer, and none that stands in.
    pub async fn perform(&self, operation: &Operation, space: &Space) -> Result<Answer, StoreError> {
        match self.redis.perform(&self.prefix, operation).await {
            Err(StoreError::Unavailable) if self.stands_in => {
                self.redis.stood_in();
                space.now().perform(operation)
            }
            answer => answer,
        }
    }

    /// Counts a request on the server, or with the limiter of this process that may stand in.
    ///
    /// # Errors
    /// If there is no answer, and none that stands in.
    pub async fn take(&self, key: &[u8], limit: Limit, cost: u32, limiter: &Limiter) -> Result<Decision, StoreError> {
        match self.redis.take(&self.prefix, key, limit, cost).await {
            Err(StoreError::Unavailable) if self.stands_in => {
                self.redis.stood_in();
                Ok(limiter.take(key, limit, cost))
            }
            decision => decision,
        }
    }

    /// Whether these are the same keys of the same server, used in the same way.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.redis, &other.redis) && self.prefix == other.prefix && self.stands_in == other.stands_in
    }
}
