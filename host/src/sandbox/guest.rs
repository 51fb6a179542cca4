//! A guest's exports, whichever way it was built: a core module is called directly, a component through the component model,
//! and what may wait on a stack of its own.

use wasmtime::Store;

use super::answer::{BodyAnswer, CallError, HeadAnswer, TrailersAnswer};
use super::bindings;
use super::bindings::tollgate::filter::types::{FieldParam, Subscription as Wanted};
use super::core::CoreGuest;
use super::facts::Packed;
use super::instance::HostState;
use crate::message::Message;

/// Names an exchange to the guest.
pub(super) type Id = u32;

pub(super) enum Guest {
    Core(Box<CoreGuest>),
    Component(Box<bindings::Filter>),
    /// Its hooks may wait, so that they are called by `Instance::…_waiting` and not here.
    Suspending(Box<bindings::suspending::Suspending>),
}

/// Calls the same hook of either kind.
macro_rules! either {
    ($self:ident.$hook:ident($($argument:expr),*)) => {
        match $self {
            Guest::Core(guest) => guest.$hook($($argument),*),
            Guest::Component(guest) => super::component::$hook(guest, $($argument),*),
            Guest::Suspending(_) => Err(CallError::Trap(wasmtime::format_err!("called as one that cannot wait"))),
        }
    };
}

/// As `either`, for the calls that cannot wait whoever the guest is.
macro_rules! any {
    ($self:ident.$hook:ident($($argument:expr),*)) => {
        match $self {
            Guest::Suspending(guest) => super::suspending::$hook(guest, $($argument),*),
            _ => either!($self.$hook($($argument),*)),
        }
    };
}

impl Guest {
    /// Lets the guest initialise itself, where instantiating it has not done that.
    pub(super) fn initialize(&self, store: &mut Store<HostState>) -> wasmtime::Result<()> {
        match self {
            Self::Core(guest) => guest.initialize(store),
            Self::Component(_) | Self::Suspending(_) => Ok(()),
        }
    }

    pub(super) fn configure(&self, store: &mut Store<HostState>, configuration: &str) -> Result<Wanted, CallError> {
        any!(self.configure(store, configuration))
    }

    pub(super) fn on_head(
        &self,
        store: &mut Store<HostState>,
        message: Message,
        id: Id,
        facts: &Packed,
    ) -> Result<HeadAnswer, CallError> {
        either!(self.on_head(store, message, id, facts))
    }

    pub(super) fn on_body(
        &self,
        store: &mut Store<HostState>,
        message: Message,
        id: Id,
        piece: &[u8],
        last: bool,
    ) -> Result<BodyAnswer, CallError> {
        either!(self.on_body(store, message, id, piece, last))
    }

    pub(super) fn on_trailers(
        &self,
        store: &mut Store<HostState>,
        message: Message,
        id: Id,
        fields: &[FieldParam<'_>],
    ) -> Result<TrailersAnswer, CallError> {
        either!(self.on_trailers(store, message, id, fields))
    }

    /// Whether it exports what ticks call; components always do.
    pub(super) fn can_tick(&self) -> bool {
        match self {
            Self::Core(guest) => guest.can_tick(),
            Self::Component(_) | Self::Suspending(_) => true,
        }
    }

    pub(super) fn on_tick(&self, store: &mut Store<HostState>) -> Result<(), CallError> {
        either!(self.on_tick(store))
    }

    pub(super) fn on_end(&self, store: &mut Store<HostState>, id: Id) -> Result<(), CallError> {
        any!(self.on_end(store, id))
    }
}
