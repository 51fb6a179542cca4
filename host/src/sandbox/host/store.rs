//! State that outlives exchanges.

use wasmtime::{Result, bail};

use crate::sandbox::instance::HostState;
use crate::sandbox::meter::host_time;
use crate::store::{Moment, Spaces, StoreError};

type Outcome<T> = std::result::Result<T, StoreError>;

impl HostState {
    /// Does something that changes nothing with the space of that name.
    pub(in crate::sandbox) fn read_space<T>(
        &self,
        name: &str,
        operation: impl FnOnce(Moment<'_>) -> Outcome<T>,
    ) -> Result<Outcome<T>> {
        let _time = host_time();
        Ok(self.spaces()?.read(name).and_then(operation))
    }

    /// Changes something in the space of that name.
    pub(in crate::sandbox) fn write_space<T>(
        &self,
        name: &str,
        operation: impl FnOnce(Moment<'_>) -> Outcome<T>,
    ) -> Result<Outcome<T>> {
        let _time = host_time();
        Ok(self.spaces()?.write(name).and_then(operation))
    }

    fn spaces(&self) -> Result<&Spaces> {
        if self.running.is_none() {
            bail!("the store may not be called while no hook of an exchange runs");
        }
        Ok(&self.spaces)
    }
}
