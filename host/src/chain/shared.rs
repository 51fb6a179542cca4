//! `isolation = "shared"`: the instance that all exchanges of a worker share. It is replaced after a fault, and when it is worn:
//! after many exchanges, or once it has taken much memory, which WebAssembly never gives back.

use std::cell::{Cell, RefCell};

use super::local::Place;
use super::policy::Policy;
use crate::sandbox::{Fault, FaultClass, Filter, Instance, Seat};

/// How many worn instances may wait for their last exchanges. While there are so many, none is replaced for its wear.
const WORN: usize = 4;

/// The instance of the moment, and those before it that exchanges still have their state in.
pub(super) struct Shared {
    instance: RefCell<Option<Instance>>,
    /// Counts the instances that there have been.
    generation: Cell<u32>,
    worn: RefCell<Vec<(u32, Instance)>>,
}

impl Shared {
    pub(super) fn new(instance: Option<Instance>) -> Self {
        Self { instance: RefCell::new(instance), generation: Cell::new(0), worn: RefCell::default() }
    }

    pub(super) fn call<T>(
        &self,
        policy: &Policy,
        place: &mut Option<Place>,
        hook: impl FnOnce(&mut Instance, Seat) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut seat = None;
        if let Some(Place::Shared { seat: taken, generation }) = *place {
            if generation == self.generation.get() {
                seat = Some(taken);
            } else {
                // Without state, one instance is as good as another.
                *place = None;
                if policy.filter.subscription.stateful() {
                    return self.call_worn(policy, place, taken, generation, hook);
                }
            }
        }
        let mut slot = self.instance.borrow_mut();
        let instance = match &mut *slot {
            Some(instance) => instance,
            empty => empty.insert(policy.filter.instance()?),
        };
        let seat = seat.unwrap_or_else(|| {
            let seat = instance.seat();
            *place = Some(Place::Shared { seat, generation: self.generation.get() });
            seat
        });
        let answer = hook(instance, seat);
        if instance.is_poisoned() {
            self.discard(policy, &mut slot);
            *place = None;
        } else if instance.is_nearly_full() {
            // The next sweep may be too late, and so may a spare instance.
            self.renew(policy, &mut slot, |filter| filter.instance().ok());
        }
        answer
    }

    pub(super) fn leave(&self, policy: &Policy, seat: Seat, generation: u32) -> Result<(), Fault> {
        if generation != self.generation.get() {
            return self.leave_worn(policy, seat, generation);
        }
        let mut slot = self.instance.borrow_mut();
        let Some(instance) = &mut *slot else { return Ok(()) };
        let left = instance.leave(seat, policy.filter.subscription.stateful());
        if instance.is_poisoned() {
            self.discard(policy, &mut slot);
        }
        left
    }

    pub(super) fn note_memory(&self, policy: &Policy) {
        if let Some(instance) = &*self.instance.borrow() {
            policy.metrics.memory(instance.memory_high_water());
        }
    }

    /// Replaces the instance if it is worn and another one is ready. Exchanges that have their state there stay with it.
    pub(super) fn sweep(&self, policy: &Policy) {
        let mut slot = self.instance.borrow_mut();
        let Some(instance) = &*slot else { return };
        policy.metrics.memory(instance.memory_high_water());
        if instance.is_worn(&policy.filter.settings) {
            self.renew(policy, &mut slot, Filter::spare);
        }
    }

    fn renew(&self, policy: &Policy, slot: &mut Option<Instance>, next: impl FnOnce(&Filter) -> Option<Instance>) {
        let stays = policy.filter.subscription.stateful() && slot.as_ref().is_some_and(Instance::is_seated);
        let mut worn = self.worn.borrow_mut();
        if stays && worn.len() >= WORN {
            return;
        }
        let Some(next) = next(&policy.filter) else { return };
        let old = slot.replace(next);
        worn.extend(old.filter(|_| stays).map(|old| (self.generation.get(), old)));
        self.generation.set(self.generation.get().wrapping_add(1));
        policy.metrics.recycled();
    }

    fn discard(&self, policy: &Policy, slot: &mut Option<Instance>) {
        if let Some(instance) = slot.take() {
            policy.metrics.memory(instance.memory_high_water());
        }
        self.generation.set(self.generation.get().wrapping_add(1));
    }

    #[cold]
    fn call_worn<T>(
        &self,
        policy: &Policy,
        place: &mut Option<Place>,
        seat: Seat,
        generation: u32,
        hook: impl FnOnce(&mut Instance, Seat) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut worn = self.worn.borrow_mut();
        let Some(index) = worn.iter().position(|(of, _)| *of == generation) else {
            let message = "another exchange's fault took the instance that held this one's state".to_owned();
            return Err(Fault::new(FaultClass::StateLost, message));
        };
        let instance = &mut worn[index].1;
        let answer = hook(instance, seat);
        if instance.is_poisoned() {
            policy.metrics.memory(instance.memory_high_water());
            worn.swap_remove(index);
        } else {
            *place = Some(Place::Shared { seat, generation });
        }
        answer
    }

    /// The last exchange of a worn instance takes it along.
    #[cold]
    fn leave_worn(&self, policy: &Policy, seat: Seat, generation: u32) -> Result<(), Fault> {
        let mut worn = self.worn.borrow_mut();
        let Some(index) = worn.iter().position(|(of, _)| *of == generation) else { return Ok(()) };
        let instance = &mut worn[index].1;
        let left = instance.leave(seat, policy.filter.subscription.stateful());
        if instance.is_poisoned() || !instance.is_seated() {
            worn.swap_remove(index);
        }
        left
    }
}
