//! Ticks: calls for no exchange, on an instance that is there for nothing else.

use std::rc::Rc;

use wasmtime::Store;

use super::bindings::suspending::Suspending as Exports;
use super::facts::Packed;
use super::fault::Fault;
use super::filter::FilterSettings;
use super::guest::Guest;
use super::instance::{HostState, Instance};
use super::suspend::Surroundings;
use super::suspending;

impl Instance {
    /// From now on it is called for ticks.
    pub(super) fn for_ticks(mut self, settings: &FilterSettings) -> Self {
        self.deadline = settings.tick_cpu;
        self.store.data_mut().ticks = true;
        self
    }

    /// Calls the tick, to its end. One that is dropped before has left the instance in the middle of something: it must be
    /// dropped too.
    ///
    /// # Errors
    /// The fault that it ended with.
    pub async fn on_tick(&mut self, around: &Rc<dyn Surroundings>) -> Result<(), Fault> {
        if !matches!(self.guest, Guest::Suspending(_)) {
            self.measure(None);
            return self.call(|guest, store, _| guest.on_tick(store));
        }
        let call =
            async |guest: &Exports, store: &mut Store<HostState>, _: &Packed| suspending::on_tick(guest, store).await;
        self.wait(None, around, call).await.1
    }
}
