//! How much time hooks take. To ask the kernel for a thread's CPU time costs as much as a short hook, so one in 61 is measured and
//! counted for all of them; those that are long enough for an epoch to pass are all measured, as are those of whoever needs
//! to know.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::deadline::thread_cpu_time;
use super::engine::TICK;

/// One hook of so many is measured. A prime, or it might always be the same hook of a chain.
const ONE_OF: u32 = 61;

thread_local! {
    /// Counts hooks. The first one to be measured is not the first of all, which is colder than the others.
    static TURN: Cell<u32> = const { Cell::new(ONE_OF / 2) };
    /// The time of host calls, while it is measured.
    static HOST: Cell<Option<Duration>> = const { Cell::new(None) };
    /// Counts calls into the gateway.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// What a hook took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// CPU time, that of host calls included.
    pub cpu: Duration,
    /// The part of host calls.
    pub host: Duration,
    /// For how many hooks it stands.
    pub hooks: u32,
}

/// Measures a hook, or does not.
pub(super) struct Meter {
    started: Option<Duration>,
    hooks: u32,
}

impl Meter {
    /// A hook begins; `exact` if it is to be measured in any case.
    pub(super) fn start(exact: bool) -> Self {
        let hooks = if exact { 1 } else { ONE_OF };
        if !exact && !is_due() {
            return Self { started: None, hooks };
        }
        HOST.set(Some(Duration::ZERO));
        Self { started: Some(thread_cpu_time()), hooks }
    }

    /// It has ended. `seen` is when an epoch first saw it running.
    pub(super) fn stop(self, seen: Option<Duration>) -> Option<Spent> {
        let host = if self.started.is_some() { HOST.take().unwrap_or_default() } else { Duration::ZERO };
        match (self.started, seen) {
            (None, None) => None,
            // It had been running for half a tick, on average.
            (None, Some(seen)) => {
                Some(Spent { cpu: thread_cpu_time().saturating_sub(seen) + TICK / 2, host, hooks: 1 })
            }
            (Some(started), seen) => {
                let hooks = if seen.is_some() { 1 } else { self.hooks };
                Some(Spent { cpu: thread_cpu_time().saturating_sub(started), host, hooks })
            }
        }
    }
}

fn is_due() -> bool {
    let turn = TURN.get().checked_sub(1).unwrap_or(ONE_OF - 1);
    TURN.set(turn);
    turn == 0
}

/// Held while the gateway does something for a hook, whose time is counted then if it is measured.
pub(super) struct HostTime(Option<Instant>);

pub(super) fn host_time() -> HostTime {
    CALLS.set(CALLS.get() + 1);
    HostTime(HOST.get().map(|_| Instant::now()))
}

/// How many calls into the gateway the hooks on this thread have made so far.
#[must_use]
pub fn host_calls() -> u64 {
    CALLS.get()
}

impl Drop for HostTime {
    fn drop(&mut self) {
        if let (Some(started), Some(so_far)) = (self.0, HOST.get()) {
            HOST.set(Some(so_far + started.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_hooks_stand_for_all_and_long_ones_for_themselves() {
        let spent: Vec<_> = (0..ONE_OF * 3).filter_map(|_| Meter::start(false).stop(None)).collect();
        assert_eq!(spent.iter().map(|spent| spent.hooks).collect::<Vec<_>>(), [ONE_OF; 3]);
        let long = Meter::start(false).stop(Some(thread_cpu_time())).unwrap();
        assert!(long.hooks == 1 && long.cpu >= TICK / 2);
        assert_eq!(Meter::start(true).stop(None).unwrap().hooks, 1);
    }

    #[test]
    fn host_calls_count_where_the_hook_is_measured() {
        let call = || {
            let _time = host_time();
            std::thread::sleep(Duration::from_millis(2));
        };
        let meter = Meter::start(true);
        call();
        assert!(meter.stop(None).unwrap().host >= Duration::from_millis(2));
        call();
        assert_eq!(Meter::start(true).stop(None).unwrap().host, Duration::ZERO);
    }
}
