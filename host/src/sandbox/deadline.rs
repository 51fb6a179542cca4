//! How much CPU time a hook may use.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::UpdateDeadline;

use super::engine::TICK;

/// A hook used more CPU time than its policy allows.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("used more than {0:?} of CPU time")]
pub(super) struct DeadlineExceeded(Duration);

/// Bounds the CPU time of a hook. Epochs pass by the wall clock, so a tick only asks the kernel how much time this thread
/// really had: a hook is never blamed for a worker that was not scheduled. Hooks shorter than a tick never ask.
#[derive(Debug)]
pub(super) struct CpuDeadline {
    limit: Duration,
    /// The thread's CPU time when the hook was first seen running.
    since: Option<Duration>,
    /// What the hook had used when it was last suspended.
    used: Duration,
}

impl CpuDeadline {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, since: None, used: Duration::ZERO }
    }

    /// A hook begins; it may use `limit`.
    pub(super) fn start(&mut self, limit: Duration) {
        self.limit = limit;
        self.since = None;
        self.used = Duration::ZERO;
    }

    /// The hook waits: what this thread does meanwhile is not its doing.
    pub(super) fn pause(&mut self) {
        if let Some(since) = self.since.take() {
            self.used += thread_cpu_time().saturating_sub(since);
        }
    }

    /// What the hook has used, if it was watched from the beginning.
    pub(super) fn used(&self) -> Duration {
        self.used + self.since.map_or(Duration::ZERO, |since| thread_cpu_time().saturating_sub(since))
    }

    /// The hook goes on. What waits is watched from the beginning, as each of many short turns could stay below a tick.
    pub(super) fn resume(&mut self) {
        self.since = Some(thread_cpu_time());
    }

    /// When an epoch first saw the hook running, if one did.
    pub(super) fn seen(&self) -> Option<Duration> {
        self.since
    }

    /// An epoch has passed while the hook was running.
    pub(super) fn tick(&mut self) -> Result<UpdateDeadline, DeadlineExceeded> {
        let now = thread_cpu_time();
        let since = *self.since.get_or_insert(now);
        // Up to a tick may have passed before the first look.
        if self.used + now.saturating_sub(since) + TICK >= self.limit {
            return Err(DeadlineExceeded(self.limit));
        }
        Ok(UpdateDeadline::Continue(1))
    }
}

pub(super) fn thread_cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}
