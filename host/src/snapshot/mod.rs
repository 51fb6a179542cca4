//! What is served at one moment: routes, chains, upstreams, listeners. Never changed, only replaced; an exchange keeps the
//! one that it began with.

mod admit;
mod build;
mod captures;
mod catalogue;
mod describe;
mod fork;
mod grants;
mod held;
mod listener;
mod policies;
mod pulled;
mod requirements;
mod routes;
mod rules;
mod script;
mod secrets;
mod self_test;
mod stage;
mod state;
mod store;
mod told;
mod trial;
mod trust;
mod view;

pub use crate::config::{ForwardIdentity, IdentityPart};
pub(crate) use build::bind_problem;
pub use build::{Builder, Built};
pub use catalogue::{Attached, FilterRow, Listing, Need, TeamRow};
pub use describe::{Explanation, explain};
pub use listener::{BoundListener, ListenerSettings};
pub(crate) use policies::default_state_dir;
pub use policies::{PolicyState, PolicyStatus, Title};
pub use pulled::{PulledStatus, wanted};
pub use requirements::{Fit, Lack};
pub use self_test::SelfTest;
pub use stage::Stage;
pub use store::SnapshotStore;
pub use trial::{Course, Trial};
pub use view::View;

use std::path::PathBuf;
use std::sync::Arc;

use crate::chain::{Chain, Policy, Quarantine};
use crate::config::{CallOptions, Limits, Problem, TrialMode};
use crate::framing;
use crate::listener::{Admission, Bounds};
use crate::route::{Action, PathRules, RouteTable};
use crate::telemetry::{Metrics, MirrorMetrics, RouteMetrics, Tracing};
use crate::upstream::Upstream;

/// Everything that an exchange needs, for all workers.
pub struct Snapshot {
    /// Counts the snapshots of this process, from 1.
    pub generation: u64,
    /// Which target a request has: an index into `targets`.
    pub routes: RouteTable<usize>,
    /// What the routes lead to.
    pub targets: Vec<Target>,
    /// Every policy that is ready, used or not.
    pub policies: Vec<Arc<Policy>>,
    /// Those of which a version is on trial, with both versions.
    pub trials: Vec<Arc<Trial>>,
    /// Every upstream.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Where requests come in.
    pub listeners: Vec<Arc<BoundListener>>,
    /// What is done with new connections, in the order of `listeners`.
    pub settings: Vec<Arc<ListenerSettings>>,
    /// Bounds on connections.
    pub limits: Limits,
    /// Bounds on what is open at once.
    pub bounds: Bounds,
    /// What is open. The same for all snapshots.
    pub admission: Arc<Admission>,
    /// Bounds on what frames messages.
    pub framing: framing::Limits,
    /// How paths are read.
    pub paths: PathRules,
    /// Whether each exchange writes a line.
    pub access_log: bool,
    /// Whether it says what filters took.
    pub access_filters: bool,
    /// How exchanges are traced, if they are.
    pub tracing: Option<Arc<Tracing>>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Why listeners go on with older certificates, if they do.
    pub kept_certificates: Vec<Problem>,
    /// Why secrets stay what they were, if they do.
    pub kept_secrets: Vec<Problem>,
    /// What is to be said about each policy, ready or not.
    pub statuses: Vec<PolicyStatus>,
    /// What is in the catalogue, if there is one.
    pub catalogue: Option<Listing>,
    /// The watched directory of policies, if there is one.
    pub policies_dir: Option<PathBuf>,
}

impl Snapshot {
    /// Every policy that is ready, and of those on trial the other version too.
    pub fn loaded(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.iter().chain(self.trials.iter().map(|trial| trial.sides().1))
    }

    /// Those that have ticks. A version that serves only if the one on trial is stopped has none.
    pub fn ticking(&self) -> impl Iterator<Item = &Arc<Policy>> {
        let is_canary = |trial: &&Arc<Trial>| matches!(trial.course.settings.mode, TrialMode::Canary(_));
        let canaries = self.trials.iter().filter(is_canary);
        self.policies.iter().chain(canaries.map(|trial| &trial.candidate))
    }

    /// The trial of a policy, if a version of it is on trial.
    #[must_use]
    pub fn trial_of(&self, policy: &str) -> Option<&Arc<Trial>> {
        self.trials.iter().find(|trial| *trial.course.policy == *policy)
    }

    /// Whether this very policy, as it is, is among those that have ticks.
    #[must_use]
    pub fn has(&self, policy: &Arc<Policy>) -> bool {
        self.ticking().any(|known| Arc::ptr_eq(known, policy))
    }

    /// The upstream of that name.
    #[must_use]
    pub fn upstream_named(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.iter().find(|upstream| upstream.name() == name)
    }

    /// Whether the policy is in quarantine for its faults.
    #[must_use]
    pub fn is_degraded(&self, policy: &str) -> bool {
        let of_name = self.policies.iter().filter(|known| *known.name == *policy);
        of_name.filter_map(|policy| policy.quarantine.as_ref()).any(Quarantine::is_closed)
    }
}

/// What a route leads to.
pub struct Target {
    /// The route's name.
    pub name: Arc<str>,
    /// Its filters.
    pub chain: Chain,
    /// Whether a version of any of them is on trial, and whether it is compared with another one.
    pub trial: Option<Compared>,
    /// Whether its requests may switch to another protocol.
    pub upgrades: bool,
    /// How its requests are sent.
    pub call: CallOptions,
    /// What becomes of its requests; upstreams are indices into `Snapshot::upstreams`.
    pub action: Action,
    /// How many bytes a request's body may have.
    pub body_limit: Option<u64>,
    /// In which fields its upstream is told who a request is made for.
    pub forward_identity: Option<ForwardIdentity>,
    /// Its counters.
    pub metrics: Arc<RouteMetrics>,
    /// Counters of the copies of its requests, if copies are made.
    pub mirror_metrics: Option<Arc<MirrorMetrics>>,
}

/// How much is to be known of exchanges that may get a version on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// How they end.
    No,
    /// What hooks take, too.
    Yes,
}
