//! Calls into a core module that carries component metadata, by the canonical ABI and without the component layer between:
//! names and values are read where they lie in the guest's memory. That the module means the same interface by its exports
//! and imports is checked when it is loaded (`interface.rs`).

mod imports;
mod layout;
mod memory;
mod state;

pub(super) use imports::link;
pub use layout::read_answer;
pub(super) use memory::Guest as Handle;
pub(super) use state::{expose, is_exposed};

use std::sync::Arc;

use wasmtime::{Global, Instance, Memory, Store, TypedFunc, WasmParams, WasmResults, bail};

use self::memory::{Guest, View};
use super::answer::{BodyAnswer, CallError, HeadAnswer, TrailersAnswer};
use super::bindings::tollgate::filter::types::{FieldParam, Subscription as Wanted};
use super::facts::Packed;
use super::guest::Id;
use super::instance::HostState;
use crate::message::Message;

/// What every guest exports so that the host can hand it lists.
type Realloc = TypedFunc<(u32, u32, u32, u32), u32>;

/// A list as it is handed over: address and length.
type List = (u32, u32);

/// A head hook's: the exchange, and two lists of facts.
type HeadParams = (Id, u32, u32, u32, u32);

/// The exports of an instance.
pub(super) struct CoreGuest {
    initialize: Option<TypedFunc<(), ()>>,
    configure: Hook<List>,
    heads: [Hook<HeadParams>; 2],
    bodies: [Hook<(Id, u32, u32, u32)>; 2],
    trailers: [Hook<(Id, u32, u32)>; 2],
    end: TypedFunc<Id, ()>,
    /// Only those that ask for ticks need it.
    tick: Option<Hook<()>>,
    guest: Arc<Guest>,
    /// Those that the guest can change, if memory is all that it can change besides.
    pub(super) globals: Vec<Global>,
}

/// An export that returns the address of its answer, and what is called once that has been read.
struct Hook<Params> {
    call: TypedFunc<Params, u32>,
    free: Option<TypedFunc<u32, ()>>,
}

impl CoreGuest {
    /// Finds the exports of an instance, which has not initialised itself yet.
    pub(super) fn new(store: &mut Store<HostState>, instance: &Instance) -> wasmtime::Result<Self> {
        let (memory, realloc) = (memory(store, instance)?, function(store, instance, "cabi_realloc")?);
        let inbox = inbox(store, instance, &memory);
        let guest = Arc::new(Guest { memory, realloc, inbox });
        store.data_mut().guest = Some(Arc::clone(&guest));
        Ok(Self {
            initialize: match instance.get_func(&mut *store, "_initialize") {
                Some(_) => Some(function(store, instance, "_initialize")?),
                None => None,
            },
            configure: hook(store, instance, "configure")?,
            heads: [hook(store, instance, "on-request-head")?, hook(store, instance, "on-response-head")?],
            bodies: [hook(store, instance, "on-request-body")?, hook(store, instance, "on-response-body")?],
            trailers: [hook(store, instance, "on-request-trailers")?, hook(store, instance, "on-response-trailers")?],
            end: function(store, instance, &export("on-exchange-end"))?,
            tick: match instance.get_func(&mut *store, &export("on-tick")) {
                Some(_) => Some(hook(store, instance, "on-tick")?),
                None => None,
            },
            guest,
            globals: state::globals(store, instance),
        })
    }

    /// The memory that it exports.
    pub(super) fn memory(&self) -> Memory {
        self.guest.memory
    }

    /// Lets the instance initialise itself.
    pub(super) fn initialize(&self, store: &mut Store<HostState>) -> wasmtime::Result<()> {
        match &self.initialize {
            Some(initialize) => initialize.call(store, ()),
            None => Ok(()),
        }
    }

    pub(super) fn configure(&self, store: &mut Store<HostState>, configuration: &str) -> Result<Wanted, CallError> {
        let text = self.guest.give(&mut *store, configuration.as_bytes())?;
        self.configure.run(store, &self.guest.memory, text, layout::subscription)
    }

    pub(super) fn on_head(
        &self,
        store: &mut Store<HostState>,
        message: Message,
        id: Id,
        facts: &Packed,
    ) -> Result<HeadAnswer, CallError> {
        let ((data, length), (ends, count)) = self.guest.give_facts(&mut *store, &facts.data, &facts.ends)?;
        let hook = &self.heads[usize::from(message == Message::Response)];
        hook.run(store, &self.guest.memory, (id, data, length, ends, count), |view, at| {
            layout::head_answer(view, at, message)
        })
    }

    pub(super) fn on_body(
        &self,
        store: &mut Store<HostState>,
        message: Message,
        id: Id,
        piece: &[u8],
        last: bool,
    ) -> Result<BodyAnswer, CallError> {
        let (data, length) = self.guest.give(&mut *store, piece)?;
        let hook = &self.bodies[usize::from(message == Message::Response)];
        hook.run(store, &self.guest.memory, (id, data, length, u32::from(last)), |view, at| {
            layout::body_answer(view, at, message)
        })
    }

    pub(super) fn on_trailers(
        &self,
        store: &mut Store<HostState>,
        message: Message,
        id: Id,
        fields: &[FieldParam<'_>],
    ) -> Result<TrailersAnswer, CallError> {
        let fields: Vec<_> = fields.iter().map(|field| (field.name, field.value)).collect();
        let (list, count) = self.guest.give_fields(&mut *store, &fields)?;
        let hook = &self.trailers[usize::from(message == Message::Response)];
        hook.run(store, &self.guest.memory, (id, list, count), layout::trailers_answer)
    }

    pub(super) fn on_end(&self, store: &mut Store<HostState>, id: Id) -> Result<(), CallError> {
        Ok(self.end.call(store, id)?)
    }

    pub(super) fn can_tick(&self) -> bool {
        self.tick.is_some()
    }

    pub(super) fn on_tick(&self, store: &mut Store<HostState>) -> Result<(), CallError> {
        match &self.tick {
            Some(tick) => tick.run(store, &self.guest.memory, (), layout::tick_answer),
            None => Ok(()),
        }
    }
}

impl<Params: WasmParams> Hook<Params> {
    fn run<T>(
        &self,
        store: &mut Store<HostState>,
        memory: &Memory,
        params: Params,
        read: impl FnOnce(View<'_>, u32) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let at = self.call.call(&mut *store, params)?;
        let answer = read(View(memory.data(&*store)), at);
        if let Some(free) = &self.free {
            free.call(store, at)?;
        }
        answer
    }
}

fn export(hook: &str) -> String {
    format!("{}#{hook}", super::module::HOOKS)
}

fn hook<Params: WasmParams>(
    store: &mut Store<HostState>,
    instance: &Instance,
    name: &str,
) -> wasmtime::Result<Hook<Params>> {
    let name = export(name);
    let free = format!("cabi_post_{name}");
    Ok(Hook {
        call: function(store, instance, &name)?,
        free: match instance.get_func(&mut *store, &free) {
            Some(_) => Some(function(store, instance, &free)?),
            None => None,
        },
    })
}

fn function<Params: WasmParams, Results: WasmResults>(
    store: &mut Store<HostState>,
    instance: &Instance,
    name: &str,
) -> wasmtime::Result<TypedFunc<Params, Results>> {
    instance.get_typed_func(store, name)
}

/// Where guests say that facts may be put, which the SDK's do.
const INBOX: &str = "tollgate:inbox";

fn inbox(store: &mut Store<HostState>, instance: &Instance, memory: &Memory) -> Option<u32> {
    let at = instance.get_global(&mut *store, INBOX)?.get(&mut *store).i32()?;
    Guest::check_inbox(memory, store, at.cast_unsigned())
}

fn memory(store: &mut Store<HostState>, instance: &Instance) -> wasmtime::Result<Memory> {
    match instance.get_memory(store, "memory") {
        Some(memory) => Ok(memory),
        None => bail!("it exports no memory"),
    }
}
