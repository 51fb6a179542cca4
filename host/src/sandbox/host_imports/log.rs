//! `log`.

use wasmtime::Result;

use crate::sandbox::bindings::tollgate::filter::log::{self, Level};
use crate::sandbox::instance::HostState;

impl log::Host for HostState {
    fn write(&mut self, level: Level, message: String) -> Result<()> {
        self.log(level, message);
        Ok(())
    }
}
