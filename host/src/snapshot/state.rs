//! Where policies keep state: made once for each name, and the same as long as anything that serves uses it. So a change of
//! the configuration or of a module leaves all state as it is.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::config::{Config, Policy, Store};
use crate::store::{Limiter, SharedSpace, Space, Spaces};
use crate::telemetry::Metrics;

/// All limiters and spaces that are in use.
pub(super) struct StateMaker {
    limiters: Kept<Limiter>,
    own: Kept<Space>,
    shared: Kept<Space>,
    metrics: Arc<Metrics>,
}

impl StateMaker {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { limiters: Kept::default(), own: Kept::default(), shared: Kept::default(), metrics }
    }

    /// The rate limits of a policy.
    pub(super) fn limiter(&mut self, policy: &str) -> Arc<Limiter> {
        self.limiters.get(policy, Limiter::default)
    }

    /// The spaces of a policy.
    pub(super) fn spaces(&mut self, policy: &Policy, stores: &[Store]) -> Arc<Spaces> {
        let metrics = &self.metrics;
        let make = || Space::new(policy.limits.store, metrics.space(&own_name(policy)));
        let own = self.own.get(&policy.name, make);
        let granted = policy.grants.stores.iter().filter_map(|grant| {
            let store = stores.iter().find(|store| store.name == grant.store.name)?;
            let space = self.shared.get(&store.name, || Space::new(store.size, metrics.space(&store.name)));
            Some(SharedSpace { name: store.name.as_str().into(), space, writable: grant.writable })
        });
        let shared = granted.collect();
        Arc::new(Spaces::new(own, shared))
    }

    /// Bounds the spaces that there are already as this configuration says, which is about to serve.
    pub(super) fn bound(&self, config: &Config) {
        for policy in config.policies.iter().filter_map(|entry| entry.policy.as_ref().ok()) {
            self.own.find(&policy.name).iter().for_each(|space| space.set_limit(policy.limits.store));
        }
        for store in &config.stores {
            self.shared.find(&store.name).iter().for_each(|space| space.set_limit(store.size));
        }
    }
}

/// As metrics name it.
fn own_name(policy: &Policy) -> String {
    format!("policy/{}", policy.name)
}

/// What there is by name, for as long as somebody uses it.
struct Kept<T>(HashMap<String, Weak<T>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Kept<T> {
    fn find(&self, name: &str) -> Option<Arc<T>> {
        self.0.get(name).and_then(Weak::upgrade)
    }

    fn get(&mut self, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(kept) = self.find(name) {
            return kept;
        }
        let made = Arc::new(make());
        self.0.retain(|_, kept| kept.strong_count() > 0);
        self.0.insert(name.to_owned(), Arc::downgrade(&made));
        made
    }
}
