//! What is asked of a server for each operation.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, cmd};

use super::Redis;
use crate::store::{Answer, Decision, Deed, Limit, Operation, StoreError};

/// The longest time to live that the server takes, in milliseconds: some hundred thousand years.
const MOST: u64 = 1 << 53;

impl Redis {
    /// Does something with a key below `prefix`.
    pub(in crate::store) async fn perform(
        self: &Arc<Self>,
        prefix: &str,
        operation: &Operation,
    ) -> Result<Answer, StoreError> {
        operation.check()?;
        let kind = match &operation.deed {
            Deed::Acquire { .. } | Deed::Renew { .. } | Deed::Release { .. } => "lease",
            _ => "value",
        };
        let key = [prefix.as_bytes(), kind.as_bytes(), b":", &operation.key].concat();
        self.ask(|connection| self.put(connection, key, &operation.deed)).await
    }

    /// Counts a request against a limit below `prefix`. Limits are counted in microseconds, so none allows more than a million
    /// requests a second.
    pub(in crate::store) async fn take(
        self: &Arc<Self>,
        prefix: &str,
        key: &[u8],
        limit: Limit,
        cost: u32,
    ) -> Result<Decision, StoreError> {
        let key = [prefix.as_bytes(), b"limit:", key].concat();
        let interval = (limit.period_ms.saturating_mul(1_000) / u64::from(limit.requests.max(1))).clamp(1, MOST >> 22);
        let tolerance = interval.saturating_mul(u64::from(limit.burst)).min(MOST >> 1);
        let increment = interval.saturating_mul(u64::from(cost)).min(MOST >> 1);
        let (allowed, debt, wait): (bool, u64, u64) = self
            .ask(|mut connection| async move {
                let mut take = self.scripts.take.key(key);
                take.arg(tolerance).arg(increment).invoke_async(&mut connection).await
            })
            .await?;
        Ok(Decision {
            allowed,
            remaining: u32::try_from(tolerance.saturating_sub(debt) / interval).unwrap_or(u32::MAX),
            retry_after_ms: wait.div_ceil(1_000),
            reset_after_ms: debt.div_ceil(1_000),
        })
    }

    async fn put(&self, mut to: MultiplexedConnection, key: Vec<u8>, deed: &Deed) -> Result<Answer, RedisError> {
        let scripts = &self.scripts;
        Ok(match deed {
            Deed::Get => Answer::Value(cmd("GET").arg(key).query_async(&mut to).await?),
            Deed::Set { value, ttl_ms } => {
                () = with_ttl(cmd("SET").arg(key).arg(value), *ttl_ms).query_async(&mut to).await?;
                Answer::Flag(true)
            }
            Deed::Delete => Answer::Flag(cmd("DEL").arg(key).query_async(&mut to).await?),
            Deed::CompareAndSwap { expected, value, ttl_ms } => {
                let (mut swap, is_expected) = (scripts.swap.key(key), expected.is_some());
                let expected = expected.as_deref().unwrap_or_default();
                swap.arg(u8::from(is_expected)).arg(expected).arg(value).arg((*ttl_ms).min(MOST));
                Answer::Flag(swap.invoke_async(&mut to).await?)
            }
            Deed::Increment { by, ttl_ms } => {
                let mut increment = scripts.increment.key(key);
                Answer::Count(increment.arg(*by).arg((*ttl_ms).min(MOST)).invoke_async(&mut to).await?)
            }
            Deed::Acquire { ttl_ms } => {
                let token = crate::store::token();
                let mut acquire = cmd("SET");
                with_ttl(acquire.arg(key).arg(token).arg("NX"), (*ttl_ms).max(1));
                let is_taken: Option<String> = acquire.query_async(&mut to).await?;
                Answer::Token(is_taken.map(|_| token))
            }
            Deed::Renew { token, ttl_ms } => {
                let mut renew = scripts.renew.key(key);
                Answer::Flag(renew.arg(*token).arg((*ttl_ms).clamp(1, MOST)).invoke_async(&mut to).await?)
            }
            Deed::Release { token } => Answer::Flag(scripts.release.key(key).arg(*token).invoke_async(&mut to).await?),
        })
    }
}

fn with_ttl(command: &mut Cmd, ttl_ms: u64) -> &mut Cmd {
    match ttl_ms {
        0 => command,
        ttl_ms => command.arg("PX").arg(ttl_ms.min(MOST)),
    }
}
