//! Where policies keep state: made once for each name, and the same as long as anything that serves uses it. So a change of
//! the configuration or of a module leaves all state as it is.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use super::build::tls;
use crate::config::{self, Config, OnOutage, Policy, Store};
use crate::store::{Clock, Limiter, Redis, RedisSettings, Remote, SharedSpace, Space, Spaces};
use crate::telemetry::Metrics;

/// All limiters and spaces that are in use.
pub(super) struct StateMaker {
    limiters: Kept<Limiter>,
    own: Kept<Space>,
    shared: Kept<Space>,
    servers: HashMap<String, (config::Redis, Weak<Redis>)>,
    metrics: Arc<Metrics>,
    /// The time that all of them go by.
    pub(super) clock: Clock,
}

impl StateMaker {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            limiters: Kept::default(),
            own: Kept::default(),
            shared: Kept::default(),
            servers: HashMap::new(),
            metrics,
            clock: Clock::default(),
        }
    }

    /// The rate limits of a policy.
    pub(super) fn limiter(&mut self, policy: &str) -> Arc<Limiter> {
        let clock = self.clock.clone();
        self.limiters.get(policy, || Limiter::by(clock))
    }

    /// The spaces of a policy.
    pub(super) fn spaces(&mut self, policy: &Policy, stores: &[Store]) -> Arc<Spaces> {
        let metrics = Arc::clone(&self.metrics);
        let clock = self.clock.clone();
        let make = || Space::by(clock.clone(), policy.limits.store, metrics.space(&own_name(policy)));
        let own = self.own.get(&policy.name, make);
        let store = policy.store.as_ref().and_then(|grant| stores.iter().find(|store| store.name == grant.name));
        let remote = store.and_then(|store| self.remote(store, "policy", &policy.name));
        let granted = policy.grants.stores.iter().filter_map(|grant| {
            let store = stores.iter().find(|store| store.name == grant.store.name)?;
            let space =
                self.shared.get(&store.name, || Space::by(clock.clone(), store.size, metrics.space(&store.name)));
            let remote = self.remote(store, "shared", &store.name);
            Some(SharedSpace { name: store.name.as_str().into(), space, remote, writable: grant.writable })
        });
        let shared = granted.collect();
        Arc::new(Spaces::new(own, remote, shared))
    }

    /// The keys of that kind and name on the server of a store, if it has one.
    fn remote(&mut self, store: &Store, kind: &str, name: &str) -> Option<Remote> {
        let wanted = store.redis.as_ref()?;
        let known = self.servers.get(&store.name).filter(|(known, _)| known == wanted);
        let redis = match known.and_then(|(_, redis)| redis.upgrade()) {
            Some(redis) => redis,
            None => {
                let redis = Redis::new(settings(&store.name, wanted)?, self.metrics.redis(&store.name));
                self.servers.insert(store.name.clone(), (wanted.clone(), Arc::downgrade(&redis)));
                redis
            }
        };
        Some(Remote::new(redis, kind, name, store.on_outage == OnOutage::Local))
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

/// The host has been checked to be a name where there is TLS.
fn settings(store: &str, redis: &config::Redis) -> Option<RedisSettings> {
    let tls = match redis.tls.as_ref().map(tls) {
        Some(tls) => Some((Arc::new(tls.client_config()), tls.server_name(&redis.host).ok()?)),
        None => None,
    };
    Some(RedisSettings {
        name: store.into(),
        address: redis.address.as_str().into(),
        tls,
        username: redis.username.as_deref().map(Into::into),
        password: redis.password.as_ref().map(|password| password.0.as_str().into()),
        prefix: redis.prefix.as_str().into(),
        timeout: redis.timeout,
    })
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
