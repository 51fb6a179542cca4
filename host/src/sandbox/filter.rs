//! A module with its configuration: what a policy runs. Instances are made from it, one a worker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::bindings::tollgate::filter::types::{BodyMode, Hooks, Subscription as Wanted};
use super::callout::CalloutGrants;
use super::facts::FactPlan;
use super::fault::{Fault, FaultClass};
use super::grants::{Grants, Need};
use super::image::Image;
use super::instance::Instance;
use super::module::Module;
use super::sources::Sources;
use crate::message::{Fact, Message};
use crate::store::{Limiter, Spaces};
use crate::telemetry::FilterMetrics;

/// Who shares an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// All exchanges of a worker.
    #[default]
    Shared,
    /// Nobody: each exchange has its own.
    Exchange,
}

/// What a filter is given besides its module.
#[derive(Clone, Debug)]
pub struct FilterSettings {
    /// The policy's name, for logs.
    pub name: Arc<str>,
    /// The configuration as JSON text.
    pub configuration: String,
    /// CPU time that a hook may use.
    pub cpu: Duration,
    /// CPU time that all hooks of an exchange may use together, if that is bounded.
    pub exchange_cpu: Option<Duration>,
    /// CPU time that `configure` may use.
    pub configure_cpu: Duration,
    /// Bytes of memory that an instance may have.
    pub memory: u64,
    /// Bytes of a body that are kept for it: of a whole one, or while it holds the head.
    pub body: u64,
    /// Who shares an instance.
    pub isolation: Isolation,
    /// After how many exchanges a shared instance is replaced.
    pub recycle: Option<u64>,
    /// What the filter may call out to.
    pub callouts: Arc<CalloutGrants>,
    /// How many instances a worker may have, if calls may wait.
    pub instances: usize,
    /// CPU time that a tick may use.
    pub tick_cpu: Duration,
    /// How long a tick may take.
    pub tick_timeout: Duration,
    /// The policy's rate limit cells.
    pub limiter: Arc<Limiter>,
    /// The policy's counters.
    pub metrics: Arc<FilterMetrics>,
    /// Where the policy keeps state.
    pub spaces: Arc<Spaces>,
    /// What the policy is granted.
    pub grants: Arc<Grants>,
    /// What it gets instead of the machine's time and random numbers.
    pub sources: Option<Arc<dyn Sources>>,
    /// Whether somebody wants to know what its hooks find in stores.
    pub follows: bool,
}

impl FilterSettings {
    /// Whether a filter that was given `self` need not be configured again for `other`.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.name == other.name
            && self.configuration == other.configuration
            && self.cpu == other.cpu
            && self.exchange_cpu == other.exchange_cpu
            && self.memory == other.memory
            && self.body == other.body
            && self.isolation == other.isolation
            && self.recycle == other.recycle
            && self.callouts == other.callouts
            && self.instances == other.instances
            && self.tick_cpu == other.tick_cpu
            && self.tick_timeout == other.tick_timeout
            && Arc::ptr_eq(&self.limiter, &other.limiter)
            && self.spaces.same_as(&other.spaces)
            && self.grants == other.grants
            && self.follows == other.follows
    }
}

/// Which hooks a configured filter is called for, and with what.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub(super) hooks: Hooks,
    pub(super) request: FactPlan,
    pub(super) response: FactPlan,
    whole: [bool; 2],
    tick: Option<Duration>,
}

impl Subscription {
    /// How often the filter wants a tick, if it wants any.
    #[must_use]
    pub fn tick(&self) -> Option<Duration> {
        self.tick
    }

    /// Whether the filter wants the request's head.
    #[must_use]
    pub fn request_head(&self) -> bool {
        self.hooks.contains(Hooks::REQUEST_HEAD)
    }

    /// Whether the filter wants the request's body.
    #[must_use]
    pub fn request_body(&self) -> bool {
        self.hooks.contains(Hooks::REQUEST_BODY)
    }

    /// Whether the filter wants the request's trailers.
    #[must_use]
    pub fn request_trailers(&self) -> bool {
        self.hooks.contains(Hooks::REQUEST_TRAILERS)
    }

    /// Whether the filter wants the response's head.
    #[must_use]
    pub fn response_head(&self) -> bool {
        self.hooks.contains(Hooks::RESPONSE_HEAD)
    }

    /// Whether the filter wants the response's body.
    #[must_use]
    pub fn response_body(&self) -> bool {
        self.hooks.contains(Hooks::RESPONSE_BODY)
    }

    /// Whether the filter wants the response's trailers.
    #[must_use]
    pub fn response_trailers(&self) -> bool {
        self.hooks.contains(Hooks::RESPONSE_TRAILERS)
    }

    /// Whether the filter keeps state for an exchange.
    #[must_use]
    pub fn stateful(&self) -> bool {
        self.hooks.contains(Hooks::EXCHANGE_END)
    }

    /// The facts that its head hook is given, in order.
    #[must_use]
    pub fn facts(&self, message: Message) -> &[Fact] {
        match message {
            Message::Request => &self.request.facts,
            Message::Response => &self.response.facts,
        }
    }

    /// Whether the filter wants that body in one piece.
    #[must_use]
    pub fn whole(&self, message: Message) -> bool {
        self.whole[usize::from(message == Message::Response)]
    }

    /// The facts for the head hook of that message.
    pub(super) fn plan(&self, message: Message) -> &FactPlan {
        match message {
            Message::Request => &self.request,
            Message::Response => &self.response,
        }
    }

    /// Whether the filter wants the body of that message.
    #[must_use]
    pub fn body(&self, message: Message) -> bool {
        match message {
            Message::Request => self.request_body(),
            Message::Response => self.response_body(),
        }
    }

    /// Whether the filter wants the trailers of that message.
    #[must_use]
    pub fn trailers(&self, message: Message) -> bool {
        match message {
            Message::Request => self.request_trailers(),
            Message::Response => self.response_trailers(),
        }
    }

    /// What it takes to be called like that.
    fn needs(&self) -> Vec<Need> {
        let bodies = Hooks::REQUEST_BODY | Hooks::REQUEST_TRAILERS | Hooks::RESPONSE_BODY | Hooks::RESPONSE_TRAILERS;
        let body = self.hooks.intersects(bodies).then_some(Need::Body);
        let facts = self.request.facts.iter().chain(&self.response.facts);
        facts.filter_map(Fact::field).cloned().map(Need::Read).chain(body).collect()
    }

    pub(super) fn parse(wanted: &Wanted) -> Result<Self, String> {
        let request = FactPlan::parse(&wanted.request_facts, Message::Request)?;
        let response = FactPlan::parse(&wanted.response_facts, Message::Response)?;
        let tick = period(wanted.tick_ms)?;
        if wanted.hooks == Hooks::default() && tick.is_none() {
            return Err("subscribes to no hook, so it would never be called".into());
        }
        let whole = [(wanted.request_body, Hooks::REQUEST_BODY), (wanted.response_body, Hooks::RESPONSE_BODY)];
        let whole = whole.map(|(mode, hook)| mode == BodyMode::Whole && wanted.hooks.contains(hook));
        Ok(Self { hooks: wanted.hooks, request, response, whole, tick })
    }
}

/// The shortest time between two ticks, in milliseconds.
const SHORTEST_TICK: u32 = 100;

fn period(tick_ms: u32) -> Result<Option<Duration>, String> {
    match tick_ms {
        0 => Ok(None),
        short @ 1..SHORTEST_TICK => {
            Err(format!("asks for a tick every {short} ms, and there is one every {SHORTEST_TICK} ms at most"))
        }
        ms => Ok(Some(Duration::from_millis(ms.into()))),
    }
}

/// A module that has accepted its configuration.
pub struct Filter {
    /// The compiled module.
    pub module: Arc<Module>,
    /// What it was given.
    pub settings: FilterSettings,
    /// What it wants.
    pub subscription: Subscription,
    /// What an instance is like before its first exchange, where each exchange begins there.
    image: Option<Image>,
    /// Instances made before the filter went live, for the workers to take.
    spares: Mutex<Vec<Instance>>,
    /// How many workers have asked for a spare instance when there was none.
    wanted: AtomicUsize,
}

impl Filter {
    /// Configures the module, with one spare instance for each worker. Runs `configure`: not for workers.
    ///
    /// # Errors
    /// If the filter refuses its configuration or faults over it.
    pub fn prepare(module: Arc<Module>, settings: FilterSettings, workers: usize) -> Result<Arc<Self>, Fault> {
        let (mut first, subscription) = Instance::new(&module, &settings)?;
        let image = match settings.isolation {
            Isolation::Shared => None,
            Isolation::Exchange => first.image(&module),
        };
        let filter =
            Self { module, settings, subscription, image, spares: Mutex::default(), wanted: AtomicUsize::new(0) };
        let mut spares = vec![first];
        for _ in 1..workers.max(1) {
            spares.push(filter.make()?);
        }
        Ok(Arc::new(Self { spares: Mutex::new(spares), ..filter }))
    }

    /// What it cannot do without as it is configured and is not granted.
    #[must_use]
    pub fn missing_grants(&self) -> Vec<Need> {
        let mut missing = self.subscription.needs();
        missing.retain(|need| !self.settings.grants.meets(need));
        missing.dedup();
        missing
    }

    /// A configured instance: a spare one, or a new one.
    ///
    /// # Errors
    /// If there is no room for one or it faults over a configuration that it accepted before.
    pub fn instance(&self) -> Result<Instance, Fault> {
        let spare = self.spares.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match spare {
            Some(instance) => Ok(instance),
            None => self.make().map_err(|fault| Fault::new(FaultClass::Instantiate, fault.to_string())),
        }
    }

    /// A configured instance if there is a spare one; otherwise one will be made soon.
    pub fn spare(&self) -> Option<Instance> {
        let spare = self.spares.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if spare.is_none() {
            self.wanted.fetch_add(1, Ordering::Relaxed);
        }
        spare
    }

    /// A configured instance for ticks, which is called for nothing else. Runs `configure`: not for workers.
    ///
    /// # Errors
    /// If there is no room for one or it faults over a configuration that it accepted before.
    pub fn ticking_instance(&self) -> Result<Instance, Fault> {
        let made = self.make().map_err(|fault| Fault::new(FaultClass::Instantiate, fault.to_string()));
        made.map(|instance| instance.for_ticks(&self.settings))
    }

    /// Makes the spare instances that were asked for. Runs `configure`: not for workers.
    ///
    /// # Errors
    /// If there is no room for one or it faults over a configuration that it accepted before.
    pub fn make_spares(&self) -> Result<(), Fault> {
        let wanted = self.wanted.swap(0, Ordering::Relaxed);
        while self.spares.lock().unwrap_or_else(PoisonError::into_inner).len() < wanted {
            let spare = self.make()?;
            self.spares.lock().unwrap_or_else(PoisonError::into_inner).push(spare);
        }
        Ok(())
    }

    /// Whether an instance can be put back to what it was like before its first exchange.
    #[must_use]
    pub fn is_restorable(&self) -> bool {
        self.image.is_some()
    }

    /// Puts an instance back to what it was like before its first exchange. Nothing if that cannot be done.
    #[must_use]
    pub fn restore(&self, mut instance: Box<Instance>) -> Option<Box<Instance>> {
        instance.restore(self.image.as_ref()?).ok()?;
        Some(instance)
    }

    fn make(&self) -> Result<Instance, Fault> {
        match &self.image {
            Some(image) => Instance::like(image, &self.module, &self.settings),
            None => Instance::new(&self.module, &self.settings).map(|(instance, _)| instance),
        }
    }

    /// Whether the answers of its head hooks may be remembered: it says that they are pure, and nothing else that happens to an
    /// exchange makes a difference.
    #[must_use]
    pub fn is_pure(&self) -> bool {
        self.module.is_pure() && !self.module.suspends && !self.subscription.stateful()
    }

    /// Whether hooks may look at the request's head once it is on its way to the upstream, and before the response's.
    #[must_use]
    pub fn reads_behind_the_head(&self) -> bool {
        let behind = Hooks::REQUEST_BODY | Hooks::REQUEST_TRAILERS;
        self.module.reads_exchange && self.subscription.hooks.intersects(behind)
    }
}
