//! `clock`.

use wasmtime::Result;

use crate::sandbox::bindings::tollgate::filter::clock;
use crate::sandbox::instance::HostState;

impl clock::Host for HostState {
    fn now(&mut self) -> Result<u64> {
        self.wall_clock()
    }

    fn monotonic(&mut self) -> Result<u64> {
        self.monotonic_clock()
    }
}
