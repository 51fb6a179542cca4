//! What filters may ask of the gateway, whichever way their imports reach it: the running exchange, the limiter, the log.

use http::{HeaderName, HeaderValue};
use wasmtime::{Result, bail};

use super::bindings::tollgate::filter::log::Level;
use super::instance::{HEAD_HAS_GONE, HostState, Running};
use super::limiter::{Decision, Limit};
use crate::message::{Edit, Fact, Message};

/// The longest log message, in bytes.
const LOG_BYTES: usize = 4 << 10;

impl HostState {
    /// A fact by name; none if it is absent or unknown.
    pub(super) fn fact(&mut self, id: u32, of: Message, name: &str) -> Result<Option<Vec<u8>>> {
        let running = self.exchange(id)?;
        let Ok(fact) = Fact::parse(name, of) else { return Ok(None) };
        let mut value = Vec::new();
        Ok(fact.write(&running.exchange, of, &mut value).then_some(value))
    }

    /// The values of all fields of that name.
    pub(super) fn values(&mut self, id: u32, of: Message, name: &str) -> Result<Vec<Vec<u8>>> {
        let fields = self.exchange(id)?.exchange.fields(of);
        Ok(fields.into_iter().flat_map(|fields| fields.get_all(name)).map(|value| value.as_bytes().to_vec()).collect())
    }

    /// All fields.
    pub(super) fn all_fields(&mut self, id: u32, of: Message) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let fields = self.exchange(id)?.exchange.fields(of);
        Ok(fields.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Makes edits at once, up to the first that is not possible.
    pub(super) fn apply<'a>(
        &mut self,
        id: u32,
        edits: impl IntoIterator<Item = Result<Edit<'a>>>,
    ) -> Result<std::result::Result<(), String>> {
        let running = self.exchange(id)?;
        if !running.editable {
            return Ok(Err(HEAD_HAS_GONE.to_owned()));
        }
        for edit in edits {
            let change = edit?.check(running.message);
            if let Err(error) = change.and_then(|change| change.make(&mut running.exchange, running.message)) {
                return Ok(Err(error.to_string()));
            }
        }
        Ok(Ok(()))
    }

    /// Counts a request against a limit.
    pub(super) fn take(&mut self, key: &[u8], limit: Limit, cost: u32) -> Result<Decision> {
        if self.running.is_none() {
            bail!("the limiter may not be called while no hook of an exchange runs");
        }
        if limit.requests == 0 || limit.period_ms == 0 || limit.burst == 0 || cost == 0 {
            bail!(
                "a limit of {} requests per {} ms, burst {}, cost {cost}: each is at least 1",
                limit.requests,
                limit.period_ms,
                limit.burst
            );
        }
        Ok(self.limiter.take(key, limit, cost))
    }

    /// One line of a filter's log. Lines above the bound are dropped.
    pub(super) fn log(&mut self, level: Level, mut message: String) {
        let Some(left) = self.log_lines_left.checked_sub(1) else { return };
        self.log_lines_left = left;
        message.truncate(message.floor_char_boundary(LOG_BYTES));
        let policy = &*self.policy;
        match level {
            Level::Error => tracing::error!(policy, "{message}"),
            Level::Warn => tracing::warn!(policy, "{message}"),
            Level::Info => tracing::info!(policy, "{message}"),
            Level::Debug => tracing::debug!(policy, "{message}"),
        }
        if level == Level::Error {
            self.last_words = Some(message);
        }
    }

    fn exchange(&mut self, id: u32) -> Result<&mut Running> {
        match &mut self.running {
            Some(running) if running.has_id(id) => Ok(running),
            Some(_) => bail!("a hook asked for exchange {id}, which is not its own"),
            None => bail!("an exchange was asked for while no hook of one runs"),
        }
    }
}
