//! The instances of a filter that waits: each call has one to itself, as a suspended call keeps its instance. There are only
//! so many on a worker; who finds none waits in order, and not for ever.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::local::LocalFilter;
use super::policy::Policy;
use crate::sandbox::{Fault, FaultClass, Instance, Isolation, Seat};

/// A worker's instances of one filter.
pub(super) struct FreeList {
    free: RefCell<Vec<Instance>>,
    places: Arc<Semaphore>,
}

/// An instance that is somebody's own for now. Dropped, it is gone: nobody gets one that a call has left half-way.
pub(super) struct CheckedOut {
    pub(super) instance: Instance,
    pub(super) seat: Seat,
    filter: Rc<LocalFilter>,
    _place: OwnedSemaphorePermit,
}

impl FreeList {
    pub(super) fn new(most: usize, first: Option<Instance>) -> Self {
        Self { free: RefCell::new(first.into_iter().collect()), places: Arc::new(Semaphore::new(most)) }
    }

    pub(super) fn note_memory(&self, policy: &Policy) {
        self.free.borrow().iter().for_each(|instance| policy.metrics.memory(instance.memory_high_water()));
    }

    /// After a rush there are more than are needed, and some are worn.
    pub(super) fn sweep(&self, policy: &Policy) {
        self.note_memory(policy);
        let mut free = self.free.borrow_mut();
        let kept = free.len().div_ceil(2);
        free.truncate(kept);
        let before = free.len();
        free.retain(|instance| !instance.is_worn(&policy.filter.settings));
        (free.len()..before).for_each(|_| policy.metrics.recycled());
    }
}

impl LocalFilter {
    /// An instance, as soon as there is one.
    pub(super) async fn check_out(self: &Rc<Self>) -> Result<CheckedOut, Fault> {
        let list = self.free_list().ok_or_else(|| busy("the filter does not wait"))?;
        let place = match Arc::clone(&list.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => self.wait_for_place(list).await?,
        };
        let free = list.free.borrow_mut().pop();
        let mut instance = free.map_or_else(|| self.policy.filter.instance(), Ok)?;
        let seat = instance.seat();
        Ok(CheckedOut { instance, seat, filter: Rc::clone(self), _place: place })
    }

    async fn wait_for_place(&self, list: &FreeList) -> Result<OwnedSemaphorePermit, Fault> {
        let settings = &self.policy.filter.settings;
        let place = tokio::time::timeout(settings.callouts.timeout, Arc::clone(&list.places).acquire_owned()).await;
        // The semaphore is never closed.
        place.ok().and_then(Result::ok).ok_or_else(|| {
            busy(&format!(
                "all {} instances of this worker wait for something; see limits.instances",
                settings.instances
            ))
        })
    }
}

impl CheckedOut {
    /// Whether the filter is to hear of the end of an exchange, and whether another may have its instance then.
    pub(super) fn manners(&self) -> (bool, bool) {
        let filter = &self.filter.policy.filter;
        (filter.subscription.stateful(), filter.settings.isolation == Isolation::Shared)
    }

    /// Gives the seat up and the instance back, if it can be used again. With `tell`, the filter hears of it.
    pub(super) fn give_back(mut self, tell: bool, keep: bool) -> Result<(), Fault> {
        let left = self.instance.leave(self.seat, tell);
        let Self { instance, filter, .. } = self;
        filter.policy.metrics.memory(instance.memory_high_water());
        if keep
            && !instance.is_poisoned()
            && !instance.is_nearly_full()
            && let Some(list) = filter.free_list()
        {
            list.free.borrow_mut().push(instance);
        }
        left
    }
}

fn busy(message: &str) -> Fault {
    Fault::new(FaultClass::Busy, message)
}
