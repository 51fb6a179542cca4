//! What the imports of a filter see: open exchanges, the limiter, the store, the log, metrics, clocks, random numbers, secrets.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::callouts::Callouts;
use super::head::Head;
use super::limits::Limits;
use super::metrics::Metrics;
use super::sources::Sources;
use super::spaces::Spaces;
use crate::bindings::tollgate::filter::exchange::Message;
use crate::log::Level;

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) open: RefCell<Vec<Option<Open>>>,
    pub(super) callouts: Callouts,
    pub(super) limits: RefCell<Limits>,
    pub(super) sources: Sources,
    pub(super) spaces: RefCell<Spaces>,
    pub(super) logs: RefCell<Vec<(Level, String)>>,
    pub(super) metrics: RefCell<Metrics>,
    /// The exchange and message that the running hook looks at; none while the filter is configured, or in a tick.
    running: Cell<Option<(u32, Message)>>,
    ticks: Cell<bool>,
    written: Cell<usize>,
    pub(super) is_configured: Cell<bool>,
}

/// An exchange as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) request: Head,
    pub(super) response: Option<Head>,
    pub(super) exchange: Head,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

impl World {
    /// Runs a piece of the filter with this world behind its imports.
    pub(super) fn run<T>(self: &Rc<Self>, running: Option<(u32, Message)>, filter: impl FnOnce() -> T) -> T {
        struct Restore(Option<Rc<World>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(Rc::clone(self))));
        self.running.set(running);
        self.written.set(0);
        let result = filter();
        self.running.set(None);
        result
    }

    /// As `run`, for a tick.
    pub(super) fn tick<T>(self: &Rc<Self>, filter: impl FnOnce() -> T) -> T {
        self.ticks.set(true);
        self.callouts.begin();
        let result = self.run(None, filter);
        self.ticks.set(false);
        result
    }

    /// Opens an exchange under the smallest free number.
    pub(super) fn open(&self, open: Open) -> u32 {
        let mut all = self.open.borrow_mut();
        let free = all.iter().position(Option::is_none).unwrap_or(all.len());
        if free == all.len() {
            all.push(None);
        }
        all[free] = Some(open);
        free as u32
    }

    pub(super) fn close(&self, exchange: u32) {
        self.open.borrow_mut()[exchange as usize] = None;
    }

    pub(super) fn with<T>(&self, exchange: u32, body: impl FnOnce(&mut Open) -> T) -> T {
        let mut all = self.open.borrow_mut();
        body(all[exchange as usize].as_mut().expect("an exchange is open until it is closed"))
    }
}

impl Open {
    /// A fact as the subscription or `exchange.get` names it.
    pub(super) fn fact(&self, message: Message, name: &str) -> Option<Vec<u8>> {
        if let Some(name) = name.strip_prefix("@request:") {
            return self.fact(Message::Request, name);
        }
        if name.starts_with('@') {
            // The subject is what its sender is called, unless a filter has said otherwise.
            let other = (name == "@consumer").then(|| self.exchange.get("@subject")).flatten();
            return self.exchange.get(name).or(other);
        }
        self.head(message)?.get(name)
    }

    pub(super) fn head(&self, message: Message) -> Option<&Head> {
        match message {
            Message::Request => Some(&self.request),
            Message::Response => self.response.as_ref(),
        }
    }

    /// The head that a hook looks at, with the facts of the exchange, which it can change too.
    pub(super) fn heads(&mut self, message: Message) -> (&mut Head, &mut Head) {
        let head = match message {
            Message::Request => &mut self.request,
            Message::Response => self.response.get_or_insert_default(),
        };
        (head, &mut self.exchange)
    }
}

/// The imports of the component, called by the rest of the SDK.
pub(crate) mod imports {
    use std::rc::Rc;

    use super::super::rules;
    use super::{CURRENT, World};
    use crate::bindings::tollgate::filter::callout;
    use crate::bindings::tollgate::filter::exchange::Message;
    use crate::bindings::tollgate::filter::log::Attribute;
    use crate::bindings::tollgate::filter::metrics::{Definition, Error, Kind};
    use crate::bindings::tollgate::filter::store::Error as StoreError;
    use crate::bindings::tollgate::filter::types::{Edit, Field};
    use crate::limiter::{Decision, Limit};
    use crate::log::Level;

    pub(crate) fn get(exchange: u32, message: Message, name: &str) -> Option<Vec<u8>> {
        let world = in_hook(exchange, "exchange.get");
        world.with(exchange, |open| open.fact(message, name))
    }

    pub(crate) fn get_all(exchange: u32, message: Message, name: &str) -> Vec<Vec<u8>> {
        let world = in_hook(exchange, "exchange.get-all");
        world.with(exchange, |open| {
            let head = if name.starts_with('@') { Some(&open.exchange) } else { open.head(message) };
            head.map_or_else(Vec::new, |head| head.values(name).map(<[u8]>::to_vec).collect())
        })
    }

    pub(crate) fn fields(exchange: u32, message: Message) -> Vec<Field> {
        let world = in_hook(exchange, "exchange.fields");
        let field = |(name, value): &(String, Vec<u8>)| Field { name: name.clone(), value: value.clone() };
        world.with(exchange, |open| open.head(message).map_or_else(Vec::new, |head| head.fields().map(field).collect()))
    }

    pub(crate) fn apply(exchange: u32, edits: Vec<Edit>) -> Result<(), String> {
        let world = in_hook(exchange, "exchange.apply");
        let (_, message) = world.running.get().expect("`in_hook` has seen it");
        world.with(exchange, |open| {
            let (head, exchange) = open.heads(message);
            rules::apply(&edits, message, head, exchange)
        })
    }

    pub(crate) fn send_all(requests: &[callout::Request]) -> Vec<Result<callout::Response, callout::Error>> {
        let world = world("callout.send-all");
        let exchange = world.running.get().map(|(exchange, _)| exchange);
        assert!(exchange.is_some() || world.ticks.get(), "trap: callouts are not possible in `check`");
        world.callouts.send_all(exchange, requests)
    }

    pub(crate) fn take(key: &[u8], limit: Limit, cost: u32) -> Decision {
        in_any_hook("limiter.take").limits.borrow_mut().take(key, limit, cost)
    }

    pub(crate) fn now() -> u64 {
        let world = world("clock.now");
        world.sources.wall_clock(world.limits.borrow().now())
    }

    pub(crate) fn monotonic() -> u64 {
        world("clock.monotonic").limits.borrow().now()
    }

    pub(crate) fn get_bytes(count: u32) -> Vec<u8> {
        assert!(count <= 1024, "trap: random.get-bytes gives 1024 bytes at most, not {count}");
        let words = (0..count.div_ceil(8)).flat_map(|_| get_u64().to_le_bytes());
        words.take(count as usize).collect()
    }

    pub(crate) fn get_u64() -> u64 {
        let world = world("random.get-u64");
        assert!(world.is_configured.get(), "trap: random numbers are not possible in `check`");
        world.sources.random_number()
    }

    pub(crate) fn secret(name: &str) -> Option<Vec<u8>> {
        world("secrets.get").sources.secret(name)
    }

    pub(crate) fn store_get(space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        in_any_hook("store.get").spaces.borrow().get(space, key)
    }

    pub(crate) fn store_set(space: &str, key: &[u8], value: &[u8], ttl_ms: u64) -> Result<(), StoreError> {
        in_any_hook("store.set").spaces.borrow_mut().set(space, key, value, ttl_ms)
    }

    pub(crate) fn store_delete(space: &str, key: &[u8]) -> Result<bool, StoreError> {
        in_any_hook("store.delete").spaces.borrow_mut().delete(space, key)
    }

    pub(crate) fn store_compare_and_swap(
        space: &str,
        key: &[u8],
        expected: Option<&[u8]>,
        value: &[u8],
        ttl_ms: u64,
    ) -> Result<bool, StoreError> {
        let world = in_any_hook("store.compare-and-swap");
        world.spaces.borrow_mut().compare_and_swap(space, key, expected, value, ttl_ms)
    }

    pub(crate) fn store_increment(space: &str, key: &[u8], by: i64, ttl_ms: u64) -> Result<i64, StoreError> {
        in_any_hook("store.increment").spaces.borrow_mut().increment(space, key, by, ttl_ms)
    }

    pub(crate) fn store_acquire(space: &str, key: &[u8], ttl_ms: u64) -> Result<Option<u64>, StoreError> {
        in_any_hook("store.acquire").spaces.borrow_mut().acquire(space, key, ttl_ms)
    }

    pub(crate) fn store_renew(space: &str, key: &[u8], token: u64, ttl_ms: u64) -> Result<bool, StoreError> {
        in_any_hook("store.renew").spaces.borrow_mut().renew(space, key, token, ttl_ms)
    }

    pub(crate) fn store_release(space: &str, key: &[u8], token: u64) -> Result<bool, StoreError> {
        in_any_hook("store.release").spaces.borrow_mut().release(space, key, token)
    }

    pub(crate) fn define(definition: &Definition) -> Result<u32, Error> {
        world("metrics.define").metrics.borrow_mut().define(definition)
    }

    pub(crate) fn series(metric: u32, values: &[String]) -> u32 {
        world("metrics.get").metrics.borrow_mut().series(metric, values)
    }

    pub(crate) fn add_to_counter(series: u32, amount: u64) {
        world("metrics.add").metrics.borrow_mut().count(series, Kind::Counter, amount as f64, false);
    }

    pub(crate) fn set_gauge(series: u32, value: f64) {
        world("metrics.set").metrics.borrow_mut().count(series, Kind::Gauge, value, value.is_finite());
    }

    pub(crate) fn adjust_gauge(series: u32, by: f64) {
        world("metrics.adjust").metrics.borrow_mut().count(series, Kind::Gauge, by, false);
    }

    pub(crate) fn observe(series: u32, value: f64) {
        world("metrics.observe").metrics.borrow_mut().count(series, Kind::Histogram, value, false);
    }

    /// Cuts and drops what is too much, as the gateway does. Attributes follow the message.
    pub(crate) fn write(level: Level, message: &str, attributes: &[Attribute]) {
        let world = world("log.write");
        if world.written.get() < 64 {
            world.written.set(world.written.get() + 1);
            let end = message.floor_char_boundary(4096);
            let attributes = attributes.iter().take(16).map(|Attribute { name, value }| format!(" {name}={value}"));
            world.logs.borrow_mut().push((level, message[..end].to_owned() + &attributes.collect::<String>()));
        }
    }

    fn in_any_hook(import: &str) -> Rc<World> {
        let world = world(import);
        let is_possible = world.running.get().is_some() || world.ticks.get();
        assert!(is_possible, "trap: {import} is only possible in a hook of an exchange or in a tick");
        world
    }

    fn in_hook(exchange: u32, import: &str) -> Rc<World> {
        let world = world(import);
        let running = world.running.get().map(|(exchange, _)| exchange);
        assert_eq!(running, Some(exchange), "trap: {import} is only possible in a hook, and for its exchange");
        world
    }

    fn world(import: &str) -> Rc<World> {
        CURRENT
            .with_borrow(Clone::clone)
            .unwrap_or_else(|| panic!("{import} was called outside of a hook; call the hook through a `TestGateway`"))
    }
}
