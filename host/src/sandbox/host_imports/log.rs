//! `log`.

use wasmtime::Result;

use crate::sandbox::bindings::tollgate::filter::log::{self, Attribute, Level};
use crate::sandbox::instance::HostState;

impl log::Host for HostState {
    fn write(&mut self, level: Level, message: String, attributes: Vec<Attribute>) -> Result<()> {
        let attributes = attributes.iter().map(|attribute| (&*attribute.name, &*attribute.value));
        self.log(level, &message, attributes);
        Ok(())
    }
}
