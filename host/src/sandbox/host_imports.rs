//! The imports that a filter may call: the running exchange, the limiter, the log.

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Result, bail};

use super::bindings;
use super::bindings::tollgate::filter::exchange::{self, Message as GuestMessage};
use super::bindings::tollgate::filter::limiter;
use super::bindings::tollgate::filter::log::{self, Level};
use super::bindings::tollgate::filter::types::{self, Edit as GuestEdit, FieldResult as Field};
use super::instance::{HEAD_HAS_GONE, HostState, Running};
use super::limiter::Limit;
use crate::message::{Edit, Fact, Message};

/// The longest log message, in bytes.
const LOG_BYTES: usize = 4 << 10;

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    bindings::Filter::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
}

impl HostState {
    fn exchange(&mut self, id: u32) -> Result<&mut Running> {
        match &mut self.running {
            Some(running) if running.has_id(id) => Ok(running),
            Some(_) => bail!("a hook asked for exchange {id}, which is not its own"),
            None => bail!("an exchange was asked for while no hook of one runs"),
        }
    }
}

fn message(message: GuestMessage) -> Message {
    match message {
        GuestMessage::Request => Message::Request,
        GuestMessage::Response => Message::Response,
    }
}

impl types::Host for HostState {}

impl exchange::Host for HostState {
    fn get(&mut self, id: u32, of: GuestMessage, name: String) -> Result<Option<Vec<u8>>> {
        let running = self.exchange(id)?;
        let Ok(fact) = Fact::parse(&name, message(of)) else { return Ok(None) };
        let mut value = Vec::new();
        Ok(fact.write(&running.exchange, message(of), &mut value).then_some(value))
    }

    fn get_all(&mut self, id: u32, of: GuestMessage, name: String) -> Result<Vec<Vec<u8>>> {
        let running = self.exchange(id)?;
        let fields = running.exchange.fields(message(of));
        Ok(fields.into_iter().flat_map(|fields| fields.get_all(&name)).map(|value| value.as_bytes().to_vec()).collect())
    }

    fn fields(&mut self, id: u32, of: GuestMessage) -> Result<Vec<Field>> {
        let running = self.exchange(id)?;
        let fields = running.exchange.fields(message(of)).into_iter().flatten();
        Ok(fields
            .map(|(name, value)| Field { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() })
            .collect())
    }

    fn apply(&mut self, id: u32, edits: Vec<GuestEdit>) -> Result<std::result::Result<(), String>> {
        let running = self.exchange(id)?;
        if !running.editable {
            return Ok(Err(HEAD_HAS_GONE.to_owned()));
        }
        for edit in edits {
            let change = Edit::from(edit).check(running.message);
            if let Err(error) = change.and_then(|change| change.make(&mut running.exchange, running.message)) {
                return Ok(Err(error.to_string()));
            }
        }
        Ok(Ok(()))
    }
}

impl limiter::Host for HostState {
    fn take(&mut self, key: Vec<u8>, limit: limiter::Limit, cost: u32) -> Result<limiter::Decision> {
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
        let limit = Limit { requests: limit.requests, period_ms: limit.period_ms, burst: limit.burst };
        let decision = self.limiter.take(&key, limit, cost);
        Ok(limiter::Decision {
            allowed: decision.allowed,
            remaining: decision.remaining,
            retry_after_ms: decision.retry_after_ms,
            reset_after_ms: decision.reset_after_ms,
        })
    }
}

impl log::Host for HostState {
    fn write(&mut self, level: Level, message: String) -> Result<()> {
        self.log(level, message);
        Ok(())
    }
}

impl HostState {
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
}
