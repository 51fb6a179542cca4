//! The stand-in itself.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::callouts::Callout;
use super::exchange::{Exchange, begin};
use super::message::Request;
use super::rules;
use super::world::World;
use crate::bindings::tollgate::filter::store as wit;
use crate::bindings::tollgate::filter::types::Subscription;
use crate::log::Level;
use crate::runtime::Runtime;
use crate::{Fault, Filter, Hook, callout, store};

/// A gateway with one policy: the filter `F` with its configuration.
pub struct TestGateway<F: Filter>(Rc<Shared<F>>);

pub(super) struct Shared<F: Filter> {
    pub(super) runtime: RefCell<Runtime<F>>,
    pub(super) subscription: Subscription,
    pub(super) world: Rc<World>,
}

impl<F: Filter> TestGateway<F> {
    /// Configures the filter with the policy's `[config]` as JSON, `{}` where there is none.
    ///
    /// # Errors
    ///
    /// The message that the operator would see.
    pub fn new(configuration: &str) -> Result<Self, String> {
        Self::with_secrets(configuration, &[])
    }

    /// As [`new`](TestGateway::new), with these secrets for a filter that looks for them in
    /// [`check`](crate::Filter::check).
    ///
    /// # Errors
    ///
    /// The message that the operator would see.
    pub fn with_secrets(configuration: &str, secrets: &[(&str, &[u8])]) -> Result<Self, String> {
        let world = Rc::new(World::default());
        for (name, value) in secrets {
            world.sources.set_secret(name, value);
        }
        let (runtime, subscription) = world.run(None, || Runtime::<F>::configure(configuration))?;
        world.is_configured.set(true);
        rules::subscription(&subscription)?;
        Ok(Self(Rc::new(Shared { runtime: RefCell::new(runtime), subscription, world })))
    }

    /// Sends a request through the filter's request hooks. Exchanges can be open side by side; each ends when it is
    /// dropped.
    pub fn request(&self, request: Request) -> Exchange<F> {
        begin(Rc::clone(&self.0), request)
    }

    /// Calls the filter's [`on_tick`](crate::Filter::on_tick), as the gateway does every now and then.
    ///
    /// # Errors
    ///
    /// The fault's message.
    ///
    /// # Panics
    ///
    /// If the filter, as configured, wants no ticks.
    pub fn tick(&self) -> Result<(), String> {
        assert_ne!(self.0.subscription.tick_ms, 0, "the filter wants no ticks");
        self.0.world.tick(|| self.0.runtime.borrow().on_tick()).map_err(Fault::into_message)
    }

    /// Moves the clocks, those of the limiter and of the store as well, which otherwise stand still.
    pub fn advance(&self, time: Duration) {
        self.0.world.limits.borrow_mut().advance(time.as_nanos());
        self.0.world.spaces.borrow_mut().advance(time.as_nanos());
    }

    /// Grants a shared space of the store, as `grants.store` does.
    pub fn grant_store(&self, space: &str) {
        self.0.world.spaces.borrow_mut().grant(space, true);
    }

    /// Grants a shared space that the filter may read only.
    pub fn grant_store_to_read(&self, space: &str) {
        self.0.world.spaces.borrow_mut().grant(space, false);
    }

    /// Makes every call of the store fail from now on, as when it is full or cannot be reached; with none, no more.
    pub fn fail_store(&self, failure: Option<store::Error>) {
        self.0.world.spaces.borrow_mut().failure = failure.map(|failure| match failure {
            store::Error::Full => wit::Error::Full,
            _ => wit::Error::Unavailable,
        });
    }

    /// What stands in a space of the store; the policy's own one is `""`.
    #[must_use]
    pub fn stored(&self, space: &str, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        self.0.world.spaces.borrow().peek(space, key.as_ref())
    }

    /// Puts something into a space of the store, for good, as another filter or another gateway may have done.
    pub fn store(&self, space: &str, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0.world.spaces.borrow_mut().put_for_good(space, key.as_ref(), value.as_ref());
    }

    /// Answers the filter's callouts like this. Before that, no upstream is granted.
    pub fn answer_callouts(&self, answer: impl Fn(&Callout) -> Result<callout::Response, callout::Error> + 'static) {
        self.0.world.callouts.answer_with(Box::new(answer));
    }

    /// The callouts that were sent so far.
    #[must_use]
    pub fn callouts(&self) -> Vec<Callout> {
        self.0.world.callouts.sent()
    }

    /// The value of a counter or gauge, or the sum of a histogram, with these values of its labels; 0 if it has not been
    /// counted. `name` is without `tollgate_filter_`.
    #[must_use]
    pub fn metric(&self, name: &str, values: &[&str]) -> f64 {
        self.0.world.metrics.borrow().counted(name, values).iter().sum()
    }

    /// The values that a histogram was given.
    #[must_use]
    pub fn observed(&self, name: &str, values: &[&str]) -> Vec<f64> {
        self.0.world.metrics.borrow().counted(name, values)
    }

    /// The messages that the filter has logged so far, with their attributes behind them as ` name=value`.
    /// Sets the clock of [`clock::now`](crate::clock::now) to so long after 1970-01-01T00:00:00Z. It begins at
    /// 2026-01-01T00:00:00Z.
    pub fn set_time(&self, since_epoch: Duration) {
        let world = &self.0.world;
        world.sources.set_wall_clock(since_epoch.as_nanos() as u64, world.limits.borrow().now());
    }

    /// Lets the random numbers begin somewhere else.
    pub fn seed(&self, seed: u64) {
        self.0.world.sources.seed(seed);
    }

    /// Grants a secret, or exchanges it.
    pub fn set_secret(&self, name: &str, value: impl AsRef<[u8]>) {
        self.0.world.sources.set_secret(name, value.as_ref());
    }

    /// The messages that the filter has logged so far.
    #[must_use]
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.0.world.logs.borrow().clone()
    }

    /// Whether the filter, as configured, is called for a hook.
    #[must_use]
    pub fn subscribed(&self, hook: Hook) -> bool {
        self.0.subscribed(hook)
    }

    /// The declared facts of requests, in order.
    #[must_use]
    pub fn request_facts(&self) -> Vec<String> {
        self.0.subscription.request_facts.clone()
    }

    /// The declared facts of responses, in order.
    #[must_use]
    pub fn response_facts(&self) -> Vec<String> {
        self.0.subscription.response_facts.clone()
    }
}

impl<F: Filter> Shared<F> {
    pub(super) fn subscribed(&self, hook: Hook) -> bool {
        match hook {
            Hook::Tick => self.subscription.tick_ms != 0,
            hook => self.subscription.hooks.bits() & hook.flag().bits() != 0,
        }
    }
}
