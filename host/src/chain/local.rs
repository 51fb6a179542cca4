//! A worker's own instances of a chain's filters. Never shared between threads, so there is no lock.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::policy::Policy;
use crate::sandbox::{Fault, FaultClass, Instance, Seat};

/// The filters of a chain on this worker, in the order of the request.
pub type LocalChain = Rc<[Rc<LocalFilter>]>;

/// A policy's instance on this worker. All exchanges of the worker share it; a fault replaces it.
pub struct LocalFilter {
    /// The policy.
    pub policy: Arc<Policy>,
    instance: RefCell<Option<Instance>>,
    /// Counts the instances that there have been.
    generation: Cell<u32>,
}

/// An exchange's seat in an instance, and in which one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    seat: Seat,
    generation: u32,
}

impl LocalFilter {
    /// The policy's filter, with an instance that was made beforehand if there is one.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Self {
        let instance = policy.filter.instance().ok();
        Self { policy, instance: RefCell::new(instance), generation: Cell::new(0) }
    }

    /// Calls into the instance on behalf of an exchange, which is seated there if it is not yet. `place` is empty again if
    /// the instance is lost.
    pub(super) fn call<T>(
        &self,
        place: &mut Option<Place>,
        hook: impl FnOnce(&mut Instance, Seat) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.policy.metrics.called();
        let mut slot = self.instance.borrow_mut();
        if place.is_some_and(|place| place.generation != self.generation.get()) {
            *place = None;
            if self.policy.filter.subscription.stateful() {
                return Err(Fault {
                    class: FaultClass::StateLost,
                    message: "another exchange's fault took the instance that held this one's state".into(),
                });
            }
        }
        let instance = match &mut *slot {
            Some(instance) => instance,
            empty => empty.insert(self.policy.filter.instance()?),
        };
        let seat = place.get_or_insert_with(|| Place { seat: instance.seat(), generation: self.generation.get() }).seat;
        let answer = hook(instance, seat);
        if instance.is_poisoned() {
            self.discard(&mut slot);
            *place = None;
        }
        answer
    }

    /// Gives a seat back at the end of an exchange.
    pub(super) fn leave(&self, place: Place) -> Result<(), Fault> {
        if place.generation != self.generation.get() {
            return Ok(());
        }
        let mut slot = self.instance.borrow_mut();
        let Some(instance) = &mut *slot else { return Ok(()) };
        let left = instance.leave(place.seat, self.policy.filter.subscription.stateful());
        if instance.is_poisoned() {
            self.discard(&mut slot);
        }
        left
    }

    /// Notes how much memory the instance has had. Called every now and then.
    pub fn sample(&self) {
        if let Some(instance) = &*self.instance.borrow() {
            self.policy.metrics.memory(instance.memory_high_water());
        }
    }

    fn discard(&self, slot: &mut Option<Instance>) {
        if let Some(instance) = slot.take() {
            self.policy.metrics.memory(instance.memory_high_water());
        }
        self.generation.set(self.generation.get().wrapping_add(1));
    }
}
