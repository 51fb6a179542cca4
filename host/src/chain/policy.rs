//! A chain as the snapshot holds it: shared by all workers, never changed.

use std::sync::Arc;

use http::StatusCode;

use super::load::Load;
use super::quarantine::Quarantine;
use super::record::Recorder;
use crate::sandbox::Filter;
use crate::telemetry::{ByFaultClass, CostMetrics, FilterMetrics};

/// What becomes of an exchange when a filter faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAnswer {
    /// It is answered with that status.
    Deny(StatusCode),
    /// It goes on as if the filter were not there.
    Bypass,
}

/// What becomes of it for each class of fault.
pub type OnFault = ByFaultClass<FaultAnswer>;

/// A configured filter in its place, with what the operator said about it.
pub struct Policy {
    /// The name, unique.
    pub name: Arc<str>,
    /// The configured filter.
    pub filter: Arc<Filter>,
    /// What to do when it faults.
    pub on_fault: OnFault,
    /// When it is not called any more, if ever.
    pub quarantine: Option<Quarantine>,
    /// How many exchanges it may have at once, if that is bounded.
    pub load: Option<Load>,
    /// Its counters.
    pub metrics: Arc<FilterMetrics>,
    /// Who follows its exchanges, if anybody does.
    pub recorder: Option<Arc<dyn Recorder>>,
}

/// The policies of a route, in the order of the request.
#[derive(Clone, Default)]
pub struct Chain {
    policies: Vec<Arc<Policy>>,
    costs: Vec<Arc<CostMetrics>>,
    lends_request: bool,
    waits: bool,
}

impl Chain {
    /// A chain of the given policies, each with the counters of what it costs there.
    #[must_use]
    pub fn new(policies: impl IntoIterator<Item = (Arc<Policy>, Arc<CostMetrics>)>) -> Self {
        let (policies, costs): (Vec<_>, Vec<_>) = policies.into_iter().unzip();
        let looks = |policy: &Arc<Policy>| policy.recorder.is_some() || policy.filter.reads_behind_the_head();
        let lends_request = policies.iter().any(looks);
        let waits = policies.iter().any(|policy| policy.filter.module.suspends);
        Self { policies, costs, lends_request, waits }
    }

    /// Some exchanges have this one in the place of another version of it.
    #[must_use]
    pub fn or(self, other: &Policy) -> Self {
        let lends_request = other.recorder.is_some() || other.filter.reads_behind_the_head();
        let waits = other.filter.module.suspends;
        Self { lends_request: self.lends_request || lends_request, waits: self.waits || waits, ..self }
    }

    /// The policies, in the order of the request.
    #[must_use]
    pub fn policies(&self) -> &[Arc<Policy>] {
        &self.policies
    }

    /// What they cost, in the same order.
    #[must_use]
    pub fn costs(&self) -> &[Arc<CostMetrics>] {
        &self.costs
    }

    /// Whether any of the filters may wait for something outside.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Whether somebody may look at the request's head while it is with the upstream, so that that gets a copy.
    #[must_use]
    pub fn lends_request(&self) -> bool {
        self.lends_request
    }
}
