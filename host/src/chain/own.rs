//! `isolation = "exchange"`: instances that belong to one exchange at a time, and keep nothing of it.

use std::cell::RefCell;

use super::local::Place;
use super::policy::Policy;
use crate::sandbox::{Fault, Instance, Seat};

/// How many fresh instances of a policy are kept at most.
const FRESH: usize = 32;

/// Instances that wait for an exchange, as they were when they were configured.
#[derive(Default)]
pub(super) struct Own {
    #[allow(clippy::vec_box, reason = "exchanges hold them boxed, and they come and go")]
    fresh: RefCell<Vec<Box<Instance>>>,
}

impl Own {
    /// A filter that keeps no state gets a fresh instance for each hook, where that is cheap: nothing waits with an exchange
    /// then.
    pub(super) fn call<T>(
        &self,
        policy: &Policy,
        place: &mut Option<Place>,
        hook: impl FnOnce(&mut Instance, Seat) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let (mut instance, seat) = match place.take() {
            Some(Place::Own { instance, seat }) => (instance, seat),
            _ => self.take(policy)?,
        };
        let answer = hook(&mut instance, seat);
        let keeps = policy.filter.subscription.stateful() || !policy.filter.is_restorable();
        if keeps && !instance.is_poisoned() {
            *place = Some(Place::Own { instance, seat });
        } else {
            self.put_back(policy, instance);
        }
        answer
    }

    pub(super) fn leave(&self, policy: &Policy, mut instance: Box<Instance>, seat: Seat) -> Result<(), Fault> {
        let left = instance.leave(seat, policy.filter.subscription.stateful());
        self.put_back(policy, instance);
        left
    }

    pub(super) fn note_memory(&self, policy: &Policy) {
        for instance in &*self.fresh.borrow() {
            policy.metrics.memory(instance.memory_high_water());
        }
    }

    /// After a rush there are more than are needed; half of them go each time.
    pub(super) fn sweep(&self, policy: &Policy) {
        self.note_memory(policy);
        let mut fresh = self.fresh.borrow_mut();
        let kept = fresh.len().div_ceil(2);
        fresh.truncate(kept);
    }

    fn take(&self, policy: &Policy) -> Result<(Box<Instance>, Seat), Fault> {
        let fresh = self.fresh.borrow_mut().pop();
        let mut instance = fresh.map_or_else(|| policy.filter.instance().map(Box::new), Ok)?;
        let seat = instance.seat();
        Ok((instance, seat))
    }

    /// Keeps an instance for another exchange, once nothing of this one is left in it.
    fn put_back(&self, policy: &Policy, instance: Box<Instance>) {
        let mut fresh = self.fresh.borrow_mut();
        if instance.is_poisoned() || fresh.len() >= FRESH {
            policy.metrics.memory(instance.memory_high_water());
        } else if let Some(instance) = policy.filter.restore(instance) {
            fresh.push(instance);
        }
    }
}
