//! Captures exchanges in which a filter faults, as files of cases that `tollgate filter replay` runs again.
//!
//! `tape` follows an exchange on its worker and keeps what the filter has seen of it, and of the outside (`outside`); a fault sends that to the thread of
//! `writer`, where `redact` hides what is nobody's business and `text` writes it down. A policy without `capture` has no recorder,
//! and pays for none of this.

mod outside;
mod redact;
mod tape;
mod text;
mod writer;

pub use writer::Writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use self::tape::Tape;
use crate::chain::{Policy, Record, Recorder};
use crate::config;
use crate::message::Exchange;
use crate::sandbox::Fault;

/// How long nothing is followed once there are as many files as there may be.
const PAUSE: Duration = Duration::from_secs(10);

/// Follows the exchanges of a policy, for the case that its filter faults.
pub struct FaultCapture {
    shared: Arc<Shared>,
}

/// What the tapes of a policy share with the writer.
struct Shared {
    policy: config::Policy,
    settings: config::Capture,
    writer: Arc<Writer>,
    since: Instant,
    /// Milliseconds from `since` on; until then the folder is full.
    paused_until: AtomicU64,
}

impl FaultCapture {
    /// For a policy that is configured so.
    #[must_use]
    pub fn new(policy: &config::Policy, settings: config::Capture, writer: Arc<Writer>) -> Self {
        let (since, paused_until) = (Instant::now(), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { policy: policy.clone(), settings, writer, since, paused_until }) }
    }

    /// Whether it need not be made again for this policy.
    #[must_use]
    pub fn is_for(&self, policy: &config::Policy) -> bool {
        // Where it is written does not matter.
        let (ours, theirs) = (&self.shared.policy, policy);
        let moved = config::Policy { place: theirs.place.clone(), grants: theirs.grants.clone(), ..ours.clone() };
        moved == *theirs
    }
}

impl Recorder for FaultCapture {
    fn begin(&self, policy: &Policy) -> Box<dyn Record> {
        if self.shared.is_paused() {
            return Box::new(Nothing);
        }
        Box::new(Tape::new(Arc::clone(&self.shared), policy.filter.module.digest))
    }
}

impl Shared {
    fn is_paused(&self) -> bool {
        self.now() < self.paused_until.load(Ordering::Relaxed)
    }

    fn pause(&self) {
        let until = self.now() + u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        self.paused_until.store(until, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Follows nothing.
struct Nothing;

impl Record for Nothing {
    fn before(&mut self, _: crate::chain::HookCall<'_>, _: &Exchange) {}
    fn answered(&mut self, _: crate::chain::HookAnswer<'_>, _: &Exchange) {}
    fn faulted(&mut self, _: &Fault) {}
}
