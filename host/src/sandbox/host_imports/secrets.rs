//! `secrets`.

use wasmtime::Result;

use crate::sandbox::bindings::tollgate::filter::secrets;
use crate::sandbox::instance::HostState;

impl secrets::Host for HostState {
    fn get(&mut self, name: String) -> Result<Option<Vec<u8>>> {
        Ok(self.secret(&name).map(|secret| secret.bytes().to_vec()))
    }
}
