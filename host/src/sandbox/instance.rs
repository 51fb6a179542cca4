//! One configured instance of a filter, on one worker, and the calls into it.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use wasmtime::{ResourceLimiter, Store};

use super::answer::{BodyAnswer, CallError, HeadAction, HeadAnswer, TrailersAnswer};
use super::bindings::tollgate::filter::types::FieldParam;
use super::callout::CalloutGrants;
use super::core;
use super::deadline::CpuDeadline;
use super::engine::{Counted, EpochClock};
use super::facts::Packed;
use super::fault::{Fault, FaultClass};
use super::filter::{FilterSettings, Subscription};
use super::found::Found;
use super::grants::Grants;
use super::guest::Guest;
use super::image::{Differs, Image};
use super::lines::Lines;
use super::meter::{Meter, Spent, host_calls};
use super::module::Module;
use super::remembered::Remembered;
use super::sources::Sources;
use super::suspend::Desk;
use crate::message::{Change, EditError, Exchange, Message, Reply};
use crate::store::{Limiter, Spaces};
use crate::telemetry::FilterMetrics;

/// After so many exchanges, an instance that has taken much memory has taken it bit by bit.
const MANY_EXCHANGES: u64 = 64;

/// How many log lines a hook may write.
pub(super) const LOG_LINES: u32 = 64;

pub(super) const HEAD_HAS_GONE: &str = "edits a head that has gone; hold it until the body is seen";

/// What a filter does with a head. Its edits have been applied.
#[must_use]
#[derive(Debug)]
pub enum HeadStep {
    /// On to the next step.
    Forward,
    /// Not before the filter's body hook says so.
    Hold,
    /// Back to the client.
    Reply(Reply),
}

/// What a filter does with a piece of a body.
#[must_use]
#[derive(Debug)]
pub enum BodyStep {
    /// It goes on unchanged.
    Pass,
    /// This goes on instead.
    Replace(Bytes),
    /// The exchange ends with this.
    Reply(Reply),
    /// The body ends with this.
    End(Bytes),
    /// The exchange is cut.
    Abort,
}

/// What a filter does with a message whose trailers it has seen. Its edits have been applied.
#[must_use]
#[derive(Debug)]
pub enum TrailersStep {
    /// It goes on.
    Pass,
    /// The exchange ends with this.
    Reply(Reply),
    /// The exchange is cut.
    Abort,
}

/// An exchange's place in an instance: the id that the filter sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat(pub(super) u32);

/// What the host keeps for one instance.
pub(super) struct HostState {
    pub(super) policy: Arc<str>,
    pub(super) limiter: Arc<Limiter>,
    pub(super) metrics: Arc<FilterMetrics>,
    pub(super) spaces: Arc<Spaces>,
    pub(super) grants: Arc<Grants>,
    pub(super) sources: Option<Arc<dyn Sources>>,
    /// Whether what hooks find in stores is noted, and what they have found.
    pub(super) follows: bool,
    pub(super) found: Vec<Found>,
    /// Whether `configure` has been called.
    pub(super) is_configured: bool,
    /// Whether the instance is there for ticks, which may do what hooks of an exchange may.
    pub(super) ticks: bool,
    pub(super) memory: MemoryLimit,
    /// The exchange whose hook runs; none while `configure` does, or a tick.
    pub(super) running: Option<Running>,
    pub(super) log_lines_left: u32,
    /// The latest error that the filter logged during this hook: a panic's message, if it then traps.
    pub(super) last_words: Option<String>,
    /// Where in its sources its code comes from, if that is known.
    pub(super) lines: Option<Arc<Lines>>,
    /// How a core module is handed something while it calls an import.
    pub(super) guest: Option<Arc<core::Handle>>,
    /// What the filter may call out to.
    pub(super) callouts: Arc<CalloutGrants>,
    /// Where a call that waits and its driver meet; none while calls cannot wait.
    pub(super) desk: Option<Desk>,
    pub(super) deadline: CpuDeadline,
}

/// The exchange that a hook is looking at, for the time of the call.
pub(super) struct Running {
    pub(super) seat: Seat,
    pub(super) message: Message,
    /// Whether the head has not gone yet.
    pub(super) editable: bool,
    pub(super) exchange: Box<Exchange>,
}

impl Running {
    pub(super) fn has_id(&self, id: u32) -> bool {
        self.seat.0 == id
    }
}

/// A filter's sandbox. After a call that did not return it is poisoned and must be dropped.
pub struct Instance {
    pub(super) store: Store<HostState>,
    pub(super) guest: Guest,
    pub(super) clock: Arc<EpochClock>,
    pub(super) deadline: std::time::Duration,
    /// What the next hook may use, if that is less.
    left: Option<std::time::Duration>,
    /// Whether the next hook is to be measured in any case.
    pub(super) exact: bool,
    pub(super) spent: Option<Spent>,
    pub(super) packed: Packed,
    seats: Seats,
    /// How many exchanges have had a place in it.
    exchanges: u64,
    /// How much memory it had when it was configured.
    configured: usize,
    poisoned: bool,
    _counted: Counted,
}

impl Instance {
    /// Makes an instance and configures it.
    pub(super) fn new(module: &Module, settings: &FilterSettings) -> Result<(Self, Subscription), Fault> {
        let mut instance = Self::unconfigured(module, settings)?;
        let wanted = instance.call(|guest, store, _| {
            guest.initialize(store)?;
            guest.configure(store, &settings.configuration)
        })?;
        let subscription = Subscription::parse(&wanted).map_err(|message| Fault::new(FaultClass::Answer, message))?;
        if subscription.tick().is_some() && !instance.guest.can_tick() {
            return Err(Fault::new(FaultClass::Answer, "asks for ticks, but does not export `on-tick`"));
        }
        instance.set_out(settings);
        instance.configured = instance.store.data().memory.current;
        Ok((instance, subscription))
    }

    /// Makes an instance like one that has been configured.
    pub(super) fn like(image: &Image, module: &Module, settings: &FilterSettings) -> Result<Self, Fault> {
        let mut instance = Self::unconfigured(module, settings)?;
        instance.set_out(settings);
        match &instance.guest {
            Guest::Core(guest) if image.fill(guest, &mut instance.store).is_ok() => Ok(instance),
            _ => Err(Fault::new(FaultClass::Memory, "there is no room for the configured filter")),
        }
    }

    /// From now on it is called for exchanges.
    fn set_out(&mut self, settings: &FilterSettings) {
        self.deadline = settings.cpu;
        self.store.data_mut().is_configured = true;
    }

    /// What the instance is like, if it can be put back to that.
    pub(super) fn image(&mut self, module: &Module) -> Option<Image> {
        match &self.guest {
            Guest::Core(guest) if module.is_restorable => Some(Image::of(guest, &mut self.store)),
            _ => None,
        }
    }

    /// Puts the instance back to what it was like once it was configured: no exchange leaves anything there. If that cannot
    /// be done, the instance must be dropped.
    pub(super) fn restore(&mut self, image: &Image) -> Result<(), Differs> {
        if self.poisoned {
            return Err(Differs);
        }
        self.seats = Seats::default();
        let state = self.store.data_mut();
        (state.last_words, state.found) = (None, Vec::new());
        match &self.guest {
            Guest::Core(guest) => image.restore(guest, &mut self.store),
            Guest::Component(_) | Guest::Suspending(_) => Err(Differs),
        }
    }

    /// With the deadline of `configure`.
    fn unconfigured(module: &Module, settings: &FilterSettings) -> Result<Self, Fault> {
        let sandbox = &module.sandbox;
        let state = HostState {
            policy: Arc::clone(&settings.name),
            limiter: Arc::clone(&settings.limiter),
            metrics: Arc::clone(&settings.metrics),
            spaces: Arc::clone(&settings.spaces),
            grants: Arc::clone(&settings.grants),
            sources: settings.sources.clone(),
            follows: settings.follows,
            found: Vec::new(),
            is_configured: false,
            ticks: false,
            memory: MemoryLimit::new(settings.memory),
            running: None,
            log_lines_left: LOG_LINES,
            last_words: None,
            lines: module.lines.clone(),
            guest: None,
            callouts: Arc::clone(&settings.callouts),
            desk: None,
            deadline: CpuDeadline::new(settings.configure_cpu),
        };
        let mut store = Store::new(&sandbox.engine, state);
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_callback(|mut context| Ok(context.data_mut().deadline.tick()?));
        store.set_epoch_deadline(1);

        let _running = sandbox.clock.enter();
        let guest = match module.instantiate(&mut store) {
            Ok(guest) => guest,
            Err(error) => return Err(instantiate_fault(&mut store, &error)),
        };
        Ok(Self {
            store,
            guest,
            clock: Arc::clone(&sandbox.clock),
            deadline: settings.configure_cpu,
            left: None,
            exact: false,
            spent: None,
            packed: Packed::default(),
            seats: Seats::default(),
            exchanges: 0,
            configured: 0,
            poisoned: false,
            _counted: sandbox.count(),
        })
    }

    /// Whether a fault has made the instance unusable.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// The most memory that the instance ever had, in bytes.
    #[must_use]
    pub fn memory_high_water(&self) -> usize {
        self.store.data().memory.high_water
    }

    /// Whether it has had enough exchanges, or more than half of the memory that it could take after it was configured.
    #[must_use]
    pub fn is_worn(&self, settings: &FilterSettings) -> bool {
        self.grown() > self.room() / 2 || settings.recycle.is_some_and(|most| self.exchanges >= most)
    }

    /// Whether it has taken three quarters of the memory that it could take, a little with each of many exchanges: it would soon
    /// fault for the lack of it. One that takes as much with a few of them is not helped by another instance.
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        self.exchanges >= MANY_EXCHANGES && self.grown() > self.room() / 4 * 3
    }

    /// How much memory it has taken since it was configured, and how much it could have.
    fn grown(&self) -> usize {
        self.store.data().memory.current - self.configured
    }

    fn room(&self) -> usize {
        self.store.data().memory.limit - self.configured
    }

    /// Whether exchanges have a place in it.
    #[must_use]
    pub fn is_seated(&self) -> bool {
        self.seats.taken() > 0
    }

    /// Takes a place for an exchange.
    pub fn seat(&mut self) -> Seat {
        self.exchanges += 1;
        self.seats.take()
    }

    /// Measures the next hook in any case; it may use no more than `left`, if that is less than what hooks may use.
    pub fn measure(&mut self, left: Option<std::time::Duration>) {
        (self.exact, self.left) = (true, left);
    }

    /// What the latest hook took, if it was measured.
    pub fn spent(&mut self) -> Option<Spent> {
        self.spent.take()
    }

    /// What hooks have found in stores since this was asked last, if that is noted.
    pub fn found(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.store.data_mut().found)
    }

    /// Gives the place back; with `tell`, the filter drops its state first.
    pub fn leave(&mut self, seat: Seat, tell: bool) -> Result<(), Fault> {
        let told =
            if tell && !self.poisoned { self.call(|guest, store, _| guest.on_end(store, seat.0)) } else { Ok(()) };
        self.seats.give_back(seat);
        told
    }

    /// Calls the head hook for one message of the exchange.
    pub fn on_head(
        &mut self,
        seat: Seat,
        message: Message,
        exchange: Box<Exchange>,
        subscription: &Subscription,
    ) -> (Box<Exchange>, Result<HeadStep, Fault>) {
        self.on_head_remembered(seat, message, exchange, subscription, None)
    }

    /// As `on_head`; an answer that will be the same for the same facts is remembered.
    pub fn on_head_remembered(
        &mut self,
        seat: Seat,
        message: Message,
        exchange: Box<Exchange>,
        subscription: &Subscription,
        remembered: Option<&mut Remembered>,
    ) -> (Box<Exchange>, Result<HeadStep, Fault>) {
        self.packed.pack(subscription.plan(message), &exchange, message);
        let calls = host_calls();
        let (mut exchange, answer) = self.call_for(seat, message, true, exchange, |guest, store, packed| {
            guest.on_head(store, message, seat.0, packed)
        });
        let grants = &self.store.data().grants;
        if let Some(remembered) = remembered
            && let Ok(HeadAnswer { action: HeadAction::Forward, changes }) = &answer
            && calls == host_calls()
            && grants.permit(changes).is_ok()
        {
            remembered.keep(message, changes);
        }
        let step = answer.and_then(|answer| head_step(answer, grants, &mut exchange, message, subscription));
        (exchange, step)
    }

    /// Calls the body hook for one piece. `held` says whether this filter holds the head, so that it may still edit it.
    pub fn on_body(
        &mut self,
        seat: Seat,
        message: Message,
        exchange: Box<Exchange>,
        piece: &[u8],
        last: bool,
        held: bool,
    ) -> (Box<Exchange>, Result<(BodyStep, bool), Fault>) {
        let (mut exchange, answer) = self.call_for(seat, message, held, exchange, |guest, store, _| {
            guest.on_body(store, message, seat.0, piece, last)
        });
        let step =
            answer.and_then(|answer| body_step(answer, &self.store.data().grants, &mut exchange, message, held, last));
        (exchange, step)
    }

    /// Calls the trailers hook and applies its edits to `trailers`.
    pub fn on_trailers(
        &mut self,
        seat: Seat,
        message: Message,
        exchange: Box<Exchange>,
        trailers: &mut HeaderMap,
    ) -> (Box<Exchange>, Result<TrailersStep, Fault>) {
        let grants = &self.store.data().grants;
        let seen = trailers.iter().filter(|(name, _)| grants.read.allows(name));
        let fields: Vec<_> =
            seen.map(|(name, value)| FieldParam { name: name.as_str(), value: value.as_bytes() }).collect();
        let (exchange, answer) = self.call_for(seat, message, false, exchange, |guest, store, _| {
            guest.on_trailers(store, message, seat.0, &fields)
        });
        let step = answer.and_then(|answer| trailers_step(answer, &self.store.data().grants, trailers));
        (exchange, step)
    }

    /// One call on behalf of an exchange, which the filter's imports can see meanwhile.
    fn call_for<T>(
        &mut self,
        seat: Seat,
        message: Message,
        editable: bool,
        exchange: Box<Exchange>,
        hook: impl FnOnce(&Guest, &mut Store<HostState>, &Packed) -> Result<T, CallError>,
    ) -> (Box<Exchange>, Result<T, Fault>) {
        self.store.data_mut().running = Some(Running { seat, message, editable, exchange });
        let answer = self.call(hook);
        // Put there above, and nothing that a guest can do takes it.
        #[allow(clippy::expect_used, reason = "see above")]
        let running = self.store.data_mut().running.take().expect("the exchange stays with its call");
        (running.exchange, answer)
    }

    pub(super) fn call<T>(
        &mut self,
        hook: impl FnOnce(&Guest, &mut Store<HostState>, &Packed) -> Result<T, CallError>,
    ) -> Result<T, Fault> {
        self.begin();
        let running = self.clock.enter();
        let meter = Meter::start(std::mem::take(&mut self.exact));
        let answer = hook(&self.guest, &mut self.store, &self.packed);
        self.spent = meter.stop(self.store.data().deadline.seen());
        drop(running);
        self.ended(answer)
    }

    /// Makes the store ready for a hook.
    pub(super) fn begin(&mut self) {
        let state = self.store.data_mut();
        state.deadline.start(self.left.take().map_or(self.deadline, |left| left.min(self.deadline)));
        state.log_lines_left = LOG_LINES;
        // What an earlier hook got over is not what ends this one.
        state.last_words = None;
        state.memory.refused = false;
        self.store.set_epoch_deadline(1);
    }

    /// What a hook's call has come to.
    pub(super) fn ended<T>(&mut self, answer: Result<T, CallError>) -> Result<T, Fault> {
        answer.map_err(|error| match error {
            CallError::Fault(fault) => fault,
            CallError::Trap(error) => {
                self.poisoned = true;
                trap_fault(&mut self.store, &error)
            }
        })
    }
}

/// What a filter does with a head, after its edits.
pub(super) fn head_step(
    HeadAnswer { action, changes }: HeadAnswer,
    grants: &Grants,
    exchange: &mut Exchange,
    message: Message,
    subscription: &Subscription,
) -> Result<HeadStep, Fault> {
    grants.permit(&changes)?;
    match action {
        HeadAction::Forward => apply(changes, exchange, message).map(|()| HeadStep::Forward),
        HeadAction::Hold if !subscription.body(message) => {
            let message = "holds the head without a subscription to the body, which lets it go";
            Err(Fault::new(FaultClass::Answer, message))
        }
        HeadAction::Hold => apply(changes, exchange, message).map(|()| HeadStep::Hold),
        HeadAction::Reply(reply) => grants.permit_reply(&reply).map(|()| HeadStep::Reply(reply)),
    }
}

/// What a filter does with a piece of a body, after its edits, and whether it lets the head go.
pub(super) fn body_step(
    BodyAnswer { action, release, changes }: BodyAnswer,
    grants: &Grants,
    exchange: &mut Exchange,
    message: Message,
    held: bool,
    last: bool,
) -> Result<(BodyStep, bool), Fault> {
    if !changes.is_empty() && !held {
        return Err(Fault::new(FaultClass::Answer, HEAD_HAS_GONE));
    }
    grants.permit(&changes)?;
    if let BodyStep::Reply(reply) = &action {
        grants.permit_reply(reply)?;
    }
    apply(changes, exchange, message)?;
    Ok((action, release || last))
}

fn trap_fault(store: &mut Store<HostState>, error: &wasmtime::Error) -> Fault {
    let state = store.data_mut();
    Fault::of_trap(error, state.memory.refused, state.last_words.take(), state.lines.as_deref())
}

fn instantiate_fault(store: &mut Store<HostState>, error: &wasmtime::Error) -> Fault {
    let fault = trap_fault(store, error);
    match fault.class {
        FaultClass::Trap | FaultClass::Refused => Fault::new(FaultClass::Instantiate, format!("{error:#}")),
        _ => fault,
    }
}

pub(super) fn apply(
    changes: impl IntoIterator<Item = Change>,
    exchange: &mut Exchange,
    message: Message,
) -> Result<(), Fault> {
    make_all(changes, |change| change.make(exchange, message))
}

/// What becomes of a message whose trailers a hook has seen, with its edits made.
pub(super) fn trailers_step(
    TrailersAnswer { action, changes }: TrailersAnswer,
    grants: &Grants,
    trailers: &mut HeaderMap,
) -> Result<TrailersStep, Fault> {
    grants.permit(&changes)?;
    if let TrailersStep::Reply(reply) = &action {
        grants.permit_reply(reply)?;
    }
    make_all(changes, |change| change.make_bare(trailers)).map(|()| action)
}

/// Makes changes that have all been found possible: a filter that is bypassed for a fault leaves no trace.
pub(super) fn make_all<C>(
    changes: impl IntoIterator<Item = C>,
    make: impl FnMut(C) -> Result<(), EditError>,
) -> Result<(), Fault> {
    changes.into_iter().try_for_each(make).map_err(|error| Fault::new(FaultClass::Answer, error.to_string()))
}

/// Bounds an instance's memory and remembers how much it had.
pub(super) struct MemoryLimit {
    limit: usize,
    current: usize,
    high_water: usize,
    refused: bool,
}

/// How many elements a filter's tables may have; toolchains use some hundreds for function pointers.
const TABLE_ELEMENTS: usize = 20_000;

impl MemoryLimit {
    fn new(limit: u64) -> Self {
        Self { limit: usize::try_from(limit).unwrap_or(usize::MAX), current: 0, high_water: 0, refused: false }
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        // All memories of the instance together.
        let total = self.current.saturating_add(desired.saturating_sub(current));
        if total > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.current = total;
        self.high_water = self.high_water.max(total);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

/// The ids that are in use; the smallest free one is given out, so filters can index arrays by them.
#[derive(Default)]
struct Seats {
    free: Vec<u32>,
    next: u32,
}

impl Seats {
    fn take(&mut self) -> Seat {
        Seat(self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        }))
    }

    /// How many are in use.
    fn taken(&self) -> usize {
        self.next as usize - self.free.len()
    }

    fn give_back(&mut self, seat: Seat) {
        self.free.push(seat.0);
    }
}
