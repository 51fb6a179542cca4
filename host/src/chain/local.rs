//! A worker's own instances of a chain's filters. Never shared between threads, so there is no lock.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::policy::Policy;
use crate::sandbox::{Fault, FaultClass, Instance, Isolation, Seat};

/// How many fresh instances of a policy are kept at most.
const FRESH: usize = 32;

/// The filters of a chain on this worker, in the order of the request.
pub type LocalChain = Rc<[Rc<LocalFilter>]>;

/// A policy on this worker. Its exchanges share an instance, which a fault replaces, or have one each.
pub struct LocalFilter {
    /// The policy.
    pub policy: Arc<Policy>,
    /// The one that exchanges share.
    instance: RefCell<Option<Instance>>,
    /// Counts the instances that they have shared.
    generation: Cell<u32>,
    /// Those that wait for an exchange to be its own, as they were when they were configured.
    #[allow(clippy::vec_box, reason = "exchanges hold them boxed, and they come and go")]
    fresh: RefCell<Vec<Box<Instance>>>,
}

/// Where the hooks of an exchange run.
pub(super) enum Place {
    /// A seat in the shared instance, and in which one.
    Shared { seat: Seat, generation: u32 },
    /// The exchange's own instance.
    Own { instance: Box<Instance>, seat: Seat },
}

impl LocalFilter {
    /// The policy's filter, with an instance that was made beforehand if there is one.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Self {
        let instance = match policy.filter.settings.isolation {
            Isolation::Shared => policy.filter.instance().ok(),
            Isolation::Exchange => None,
        };
        Self { policy, instance: RefCell::new(instance), generation: Cell::new(0), fresh: RefCell::default() }
    }

    /// Calls into an instance on behalf of an exchange, which gets a place in one if it has none yet. `place` is empty again
    /// if the instance is lost.
    pub(super) fn call<T>(
        &self,
        place: &mut Option<Place>,
        hook: impl FnOnce(&mut Instance, Seat) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.policy.metrics.called();
        match self.policy.filter.settings.isolation {
            Isolation::Shared => self.call_shared(place, hook),
            Isolation::Exchange => self.call_own(place, hook),
        }
    }

    /// Gives a place up at the end of an exchange.
    pub(super) fn leave(&self, place: Place) -> Result<(), Fault> {
        let tell = self.policy.filter.subscription.stateful();
        match place {
            Place::Own { mut instance, seat } => {
                let left = instance.leave(seat, tell);
                self.put_back(instance);
                left
            }
            Place::Shared { generation, .. } if generation != self.generation.get() => Ok(()),
            Place::Shared { seat, .. } => {
                let mut slot = self.instance.borrow_mut();
                let Some(instance) = &mut *slot else { return Ok(()) };
                let left = instance.leave(seat, tell);
                if instance.is_poisoned() {
                    self.discard(&mut slot);
                }
                left
            }
        }
    }

    fn call_shared<T>(
        &self,
        place: &mut Option<Place>,
        hook: impl FnOnce(&mut Instance, Seat) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut slot = self.instance.borrow_mut();
        let mut seat = None;
        if let Some(Place::Shared { seat: taken, generation }) = place {
            if *generation == self.generation.get() {
                seat = Some(*taken);
            } else {
                *place = None;
                if self.policy.filter.subscription.stateful() {
                    return Err(state_lost());
                }
            }
        }
        let instance = match &mut *slot {
            Some(instance) => instance,
            empty => empty.insert(self.policy.filter.instance()?),
        };
        let seat = seat.unwrap_or_else(|| {
            let seat = instance.seat();
            *place = Some(Place::Shared { seat, generation: self.generation.get() });
            seat
        });
        let answer = hook(instance, seat);
        if instance.is_poisoned() {
            self.discard(&mut slot);
            *place = None;
        }
        answer
    }

    /// A filter that keeps no state gets a fresh instance for each hook, where that is cheap: nothing waits with an exchange
    /// then.
    fn call_own<T>(
        &self,
        place: &mut Option<Place>,
        hook: impl FnOnce(&mut Instance, Seat) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let (mut instance, seat) = match place.take() {
            Some(Place::Own { instance, seat }) => (instance, seat),
            _ => {
                let fresh = self.fresh.borrow_mut().pop();
                let mut instance = fresh.map_or_else(|| self.policy.filter.instance().map(Box::new), Ok)?;
                let seat = instance.seat();
                (instance, seat)
            }
        };
        let answer = hook(&mut instance, seat);
        let filter = &self.policy.filter;
        let keeps = filter.subscription.stateful() || !filter.is_restorable();
        if keeps && !instance.is_poisoned() {
            *place = Some(Place::Own { instance, seat });
        } else {
            self.put_back(instance);
        }
        answer
    }

    /// Keeps an instance for another exchange, once nothing of this one is left in it.
    fn put_back(&self, instance: Box<Instance>) {
        let mut fresh = self.fresh.borrow_mut();
        if instance.is_poisoned() || fresh.len() >= FRESH {
            self.policy.metrics.memory(instance.memory_high_water());
        } else if let Some(instance) = self.policy.filter.restore(instance) {
            fresh.push(instance);
        }
    }

    /// Notes how much memory the instance has had. Called every now and then.
    pub fn sample(&self) {
        if let Some(instance) = &*self.instance.borrow() {
            self.policy.metrics.memory(instance.memory_high_water());
        }
        let mut fresh = self.fresh.borrow_mut();
        for instance in &*fresh {
            self.policy.metrics.memory(instance.memory_high_water());
        }
        // After a rush there are more than are needed; half of them go each time.
        let kept = fresh.len().div_ceil(2);
        fresh.truncate(kept);
    }

    /// Notes how much memory an exchange's instance has had.
    pub(super) fn note_memory(&self, place: Option<&Place>) {
        match place {
            Some(Place::Own { instance, .. }) => self.policy.metrics.memory(instance.memory_high_water()),
            _ => self.sample(),
        }
    }

    fn discard(&self, slot: &mut Option<Instance>) {
        if let Some(instance) = slot.take() {
            self.policy.metrics.memory(instance.memory_high_water());
        }
        self.generation.set(self.generation.get().wrapping_add(1));
    }
}

fn state_lost() -> Fault {
    let message = "another exchange's fault took the instance that held this one's state".into();
    Fault { class: FaultClass::StateLost, message }
}
