//! Stories of the path: what goes through, in which shape, and what becomes of what goes wrong.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod connections;
mod failures;
mod fields;
mod messages;
mod refusals;
mod streaming;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tollgate_tests::{
    Answer, Chunk, ClosedPort, Connection, Fields, Gate, Request, RunningGateway, TestGateway, Upstream, eventually,
};

const TEN_MIB: usize = 10 << 20;

fn before(upstream: &Upstream) -> RunningGateway {
    TestGateway::new().upstream(upstream).workers(1).start()
}

/// With these keys in front of everything else, as in `[limits]`.
fn configured(upstream: &Upstream, first: &str, of_upstream: &str) -> RunningGateway {
    let config = format!(
        "{first}\n[[listeners]]\naddress = \"{{listen}}\"\n\
         [upstreams.only]\nendpoints = [\"{{upstream}}\"]\n{of_upstream}\n[[routes]]\nupstream = \"only\"\n"
    );
    TestGateway::new().upstream(upstream).config(&config).workers(1).start()
}
