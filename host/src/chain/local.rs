//! A worker's own instances of a chain's filters. Never shared between threads, so there is no lock.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::free_list::FreeList;
use super::load::Open;
use super::own::Own;
use super::policy::Policy;
use super::shadow::Shadow;
use super::shared::Shared;
use super::waiting::Stay;
use crate::sandbox::{Fault, FaultClass, Instance, Isolation, Remembered, Seat};
use crate::telemetry::{CostMetrics, Figures};

/// The filters of a chain on this worker, in the order of the request.
pub type LocalChain = Rc<[Link]>;

/// A filter in the chain of a route.
#[derive(Clone)]
pub struct Link {
    /// The filter.
    pub filter: Rc<LocalFilter>,
    /// What it costs there.
    pub cost: Arc<CostMetrics>,
    /// What this version of its policy does, while a version of it is on trial.
    pub figures: Option<Arc<Figures>>,
    /// A version that is shown what this one is, and whose decisions are compared and not applied.
    pub shadow: Option<Shadow>,
}

/// A policy on this worker.
pub struct LocalFilter {
    /// The policy.
    pub policy: Arc<Policy>,
    /// How many of its exchanges this worker has open, where that is bounded.
    pub(super) open: Open,
    instances: Instances,
    /// What its hooks have answered, if that may be remembered.
    pub(super) remembered: Option<RefCell<Remembered>>,
}

/// Its exchanges share an instance, or have one each, or each call has one if calls may wait.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one of them a policy and worker, and the large one is the usual one"
)]
enum Instances {
    Shared(Shared),
    Own(Own),
    Waiting(FreeList),
}

/// Where the hooks of an exchange run.
pub(super) enum Place {
    /// A seat in the shared instance, and in which one.
    Shared { seat: Seat, generation: u32 },
    /// The exchange's own instance.
    Own { instance: Box<Instance>, seat: Seat },
    /// As its hooks may wait, an instance that they have to themselves meanwhile.
    Waiting(Rc<Stay>),
}

impl LocalFilter {
    /// The policy's filter, with an instance that was made beforehand if there is one.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Self {
        let filter = &policy.filter;
        let instances = match filter.settings.isolation {
            _ if filter.module.suspends => {
                Instances::Waiting(FreeList::new(filter.settings.instances, filter.instance().ok()))
            }
            Isolation::Shared => Instances::Shared(Shared::new(filter.instance().ok())),
            Isolation::Exchange => Instances::Own(Own::default()),
        };
        let remembered = filter.is_pure().then(RefCell::default);
        Self { policy, open: Open::default(), instances, remembered }
    }

    /// Calls into an instance on behalf of an exchange, which gets a place in one if it has none yet. `place` is empty again
    /// if the instance is lost.
    pub(super) fn call<T>(
        &self,
        place: &mut Option<Place>,
        hook: impl FnOnce(&mut Instance, Seat) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.policy.metrics.called();
        match &self.instances {
            Instances::Shared(shared) => shared.call(&self.policy, place, hook),
            Instances::Own(own) => own.call(&self.policy, place, hook),
            Instances::Waiting(_) => Err(Fault::new(FaultClass::Instantiate, "called as a filter that cannot wait")),
        }
    }

    /// The instances of a filter that waits.
    pub(super) fn free_list(&self) -> Option<&FreeList> {
        match &self.instances {
            Instances::Waiting(list) => Some(list),
            Instances::Shared(_) | Instances::Own(_) => None,
        }
    }

    /// Gives a place up at the end of an exchange.
    pub(super) fn leave(&self, place: Place) -> Result<(), Fault> {
        match (&self.instances, place) {
            (Instances::Shared(shared), Place::Shared { seat, generation }) => {
                shared.leave(&self.policy, seat, generation)
            }
            (Instances::Own(own), Place::Own { instance, seat }) => own.leave(&self.policy, instance, seat),
            (Instances::Waiting(_), Place::Waiting(stay)) => stay.leave(),
            // A place is given up where it was taken.
            _ => Ok(()),
        }
    }

    /// Notes how much memory an exchange's instance has had.
    pub(super) fn note_memory(&self, place: Option<&Place>) {
        match (&self.instances, place) {
            (_, Some(Place::Own { instance, .. })) => self.policy.metrics.memory(instance.memory_high_water()),
            (Instances::Shared(shared), _) => shared.note_memory(&self.policy),
            (Instances::Own(own), _) => own.note_memory(&self.policy),
            (Instances::Waiting(list), _) => list.note_memory(&self.policy),
        }
    }

    /// Notes how much memory there is, and replaces what is worn. Called once a second, while no hook runs.
    pub fn sweep(&self) {
        match &self.instances {
            Instances::Shared(shared) => shared.sweep(&self.policy),
            Instances::Own(own) => own.sweep(&self.policy),
            Instances::Waiting(list) => list.sweep(&self.policy),
        }
    }
}
