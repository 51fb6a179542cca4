//! State that outlives exchanges.

use std::sync::Arc;

use wasmtime::{Result, bail};

use crate::sandbox::instance::HostState;
use crate::sandbox::meter::host_time;
use crate::store::{Answer, Deed, Moment, Operation, Spaces, StoreError};

type Outcome<T> = std::result::Result<T, StoreError>;

impl HostState {
    /// Does something that changes nothing with the space of that name.
    pub(in crate::sandbox) fn read_space<T>(
        &mut self,
        name: &str,
        key: &[u8],
        operation: impl FnOnce(Moment<'_>) -> Outcome<T>,
    ) -> Result<Outcome<T>> {
        let _time = host_time();
        self.look(name, key)?;
        Ok(self.spaces.read(name).and_then(|moment| self.reached(moment)).and_then(operation))
    }

    /// Changes something in the space of that name.
    pub(in crate::sandbox) fn write_space<T>(
        &mut self,
        name: &str,
        key: &[u8],
        operation: impl FnOnce(Moment<'_>) -> Outcome<T>,
    ) -> Result<Outcome<T>> {
        let _time = host_time();
        self.look(name, key)?;
        Ok(self.spaces.write(name).and_then(|moment| self.reached(moment)).and_then(operation))
    }

    /// In the test of a filter, a store may be out of reach that is in this process.
    fn reached<T>(&self, reached: T) -> Outcome<T> {
        let is_out = self.sources.as_ref().is_some_and(|sources| sources.has_outage());
        if is_out { Err(StoreError::Unavailable) } else { Ok(reached) }
    }

    /// Before a key is used: may it be now, and does somebody want to know what is there.
    fn look(&mut self, name: &str, key: &[u8]) -> Result<()> {
        self.spaces()?;
        if self.follows {
            let spaces = Arc::clone(&self.spaces);
            if let Ok(moment) = spaces.read(name) {
                self.note(name, key, moment);
            }
        }
        Ok(())
    }

    /// Does something with a space that may be on a server.
    pub(in crate::sandbox) async fn perform(&mut self, name: &str, operation: Operation) -> Result<Outcome<Answer>> {
        self.spaces()?;
        let spaces = Arc::clone(&self.spaces);
        let (space, remote) = match spaces.place(name, operation.deed != Deed::Get) {
            Ok((space, remote)) => (Arc::clone(space), remote.cloned()),
            Err(error) => return Ok(Err(error)),
        };
        match remote {
            None => {
                self.note(name, &operation.key, space.now());
                Ok(space.now().perform(&operation))
            }
            Some(remote) => {
                let asked = self.follows.then(|| operation.clone());
                let answer =
                    self.wait_for(move |_| Box::pin(async move { remote.perform(&operation, &space).await })).await?;
                if let (Some(asked), Ok(answer)) = (asked, &answer) {
                    self.note_answer(name, &asked, answer);
                }
                Ok(answer)
            }
        }
    }

    fn spaces(&self) -> Result<&Spaces> {
        if self.running.is_none() && !self.ticks {
            bail!("the store may not be called while no hook of an exchange runs, and no tick");
        }
        Ok(&self.spaces)
    }
}
