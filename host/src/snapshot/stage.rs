//! What tests of filters put in the place of the world that policies are otherwise in.

use std::sync::Arc;

use super::Builder;
use crate::sandbox::{ModuleCache, Secret, Sources};
use crate::store::Clock;
use crate::telemetry::Metrics;

/// The world that policies are in.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Time, random numbers and the answers of rate limits.
    pub sources: Arc<dyn Sources>,
    /// The time by which what is stored ends.
    pub clock: Clock,
    /// The secrets of the configuration.
    pub secrets: Vec<(String, Arc<Secret>)>,
}

impl Builder {
    /// A builder of policies for one worker that are in no other world than this.
    #[must_use]
    pub fn staged(cache: Arc<ModuleCache>, stage: Stage) -> Self {
        let mut builder = Self::new(cache, Arc::new(Metrics::default()), 1, Arc::default());
        let Stage { sources, clock, secrets } = stage;
        builder.policies.state.clock = clock;
        builder.policies.sources = Some(sources);
        builder.policies.secrets.set(secrets);
        builder
    }
}
