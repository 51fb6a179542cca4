//! `random`.

use wasmtime::Result;

use crate::sandbox::bindings::tollgate::filter::random;
use crate::sandbox::instance::HostState;

impl random::Host for HostState {
    fn get_bytes(&mut self, count: u32) -> Result<Vec<u8>> {
        self.random_bytes(count)
    }

    fn get_u64(&mut self) -> Result<u64> {
        self.random_number()
    }
}
