//! What calls into a sandbox and out of it cost: `cargo bench --package tollgate --bench hooks`, or `cargo xtask bench hooks`.
//!
//! Thread CPU time, the best of several rounds: a figure of this machine, to be compared with others of the same run. Needs
//! the standard filters, which are bundled, and the guest `work` (`cargo xtask filters` builds them all).

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::unwrap_used, reason = "a bench may fail loudly")]

mod bodies;
mod ground;
mod heads;
mod imports;
mod scaling;

use tollgate::sandbox::{ModuleCache, Sandbox};

/// The program's own: pieces that come out of a sandbox are allocated.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let cache = ModuleCache::new(Sandbox::new().unwrap(), None);
    heads::run(&cache);
    bodies::run(&cache);
    imports::run(&cache);
    scaling::run(&cache);
}
