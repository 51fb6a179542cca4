//! The imports of a component, through the generated bindings. What they do is in `host.rs`.

use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

use super::bindings;
use super::bindings::tollgate::filter::exchange::{self, Message as GuestMessage};
use super::bindings::tollgate::filter::limiter;
use super::bindings::tollgate::filter::log::{self, Level};
use super::bindings::tollgate::filter::types::{self, Edit, FieldResult as Field};
use super::instance::HostState;
use super::limiter::Limit;
use crate::message::Message;

pub(super) fn link(linker: &mut Linker<HostState>) -> Result<()> {
    bindings::Filter::add_to_linker::<_, HasSelf<HostState>>(linker, |state| state)
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
        self.fact(id, message(of), &name)
    }

    fn get_all(&mut self, id: u32, of: GuestMessage, name: String) -> Result<Vec<Vec<u8>>> {
        self.values(id, message(of), &name)
    }

    fn fields(&mut self, id: u32, of: GuestMessage) -> Result<Vec<Field>> {
        let fields = self.all_fields(id, message(of))?.into_iter();
        Ok(fields
            .map(|(name, value)| Field { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() })
            .collect())
    }

    fn apply(&mut self, id: u32, edits: Vec<Edit>) -> Result<std::result::Result<(), String>> {
        Self::apply(self, id, edits.iter().map(|edit| Ok(edit.into())))
    }
}

impl limiter::Host for HostState {
    fn take(&mut self, key: Vec<u8>, limit: limiter::Limit, cost: u32) -> Result<limiter::Decision> {
        let limit = Limit { requests: limit.requests, period_ms: limit.period_ms, burst: limit.burst };
        let decision = Self::take(self, &key, limit, cost)?;
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
