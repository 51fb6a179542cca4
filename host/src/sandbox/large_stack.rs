//! Readers that call themselves for whatever is nested, however deep that is. What they are given is bounded, and here they
//! have a stack for the worst of it: nobody survives the end of a stack.

use std::thread;

/// In bytes. Only what is used of it takes memory.
const SIZE: usize = 128 << 20;

/// Does something that may need much of a stack, or panic; says so if it does.
pub(super) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    thread::scope(|scope| {
        let started = thread::Builder::new().name("reader".into()).stack_size(SIZE).spawn_scoped(scope, work);
        let thread = started.map_err(|error| format!("no thread can be started for that: {error}"))?;
        thread.join().map_err(|_| "its reader has failed".to_owned())
    })
}
