//! What filters may ask of the gateway, whichever way their imports reach it: a file for each interface.

mod callout;
mod clock;
mod exchange;
mod limiter;
mod log;
mod metrics;
mod random;
mod secrets;
mod store;

pub(super) use log::ATTRIBUTES;

use wasmtime::{Result, bail};

use super::grants::Grants;
use super::instance::{HostState, Running};

impl HostState {
    /// The exchange whose hook runs, if it is the one of that id.
    fn exchange(&mut self, id: u32) -> Result<&mut Running> {
        self.exchange_and_grants(id).map(|(running, _)| running)
    }

    /// That, and what the policy is granted.
    fn exchange_and_grants(&mut self, id: u32) -> Result<(&mut Running, &Grants)> {
        match &mut self.running {
            Some(running) if running.has_id(id) => Ok((running, &self.grants)),
            Some(_) => bail!("a hook asked for exchange {id}, which is not its own"),
            None => bail!("an exchange was asked for while no hook of one runs"),
        }
    }
}
