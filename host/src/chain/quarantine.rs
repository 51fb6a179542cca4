//! Quarantine: a filter that faults too often is not called any more, and tried again with single exchanges.
//!
//! One for all workers. As long as nothing faults they only read it: one number, which says since when the filter is not to
//! be called, and a count on lines of their own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::policy::FaultAnswer;
use crate::telemetry::{FilterMetrics, Tally};

/// How long the time between two probes may become.
const LONGEST: Duration = Duration::from_secs(600);

/// When faults are too many, and what is done then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineSettings {
    /// So many faults
    pub faults: u32,
    /// in that time,
    pub within: Duration,
    /// which are at least so many thousandths of the exchanges.
    pub per_mille: u32,
    /// What exchanges get while the filter is not called.
    pub action: FaultAnswer,
    /// The time until the first probe.
    pub probe: Duration,
}

/// How a filter stands.
#[derive(Debug)]
pub struct Quarantine {
    /// As the operator said.
    pub settings: QuarantineSettings,
    began: Instant,
    exchanges: Tally,
    /// When the next exchange may be tried, in milliseconds since `began`; 0 while the filter is called as usual.
    next_probe: AtomicU64,
    record: Mutex<Record>,
    metrics: Arc<FilterMetrics>,
}

/// What is only looked at when something has faulted.
#[derive(Debug, Default)]
struct Record {
    /// Since when faults are counted.
    since: Option<Instant>,
    faults: u32,
    /// How many exchanges there had been then.
    exchanges: u64,
    /// How often the time between two probes has doubled.
    step: u32,
    /// When the filter was called again.
    back: Option<Instant>,
}

/// Whether an exchange is shown to a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admittance {
    /// As usual.
    Called,
    /// To see whether it is well again.
    Probe,
    /// Not at all.
    Instead(FaultAnswer),
}

impl Quarantine {
    /// A filter that has not faulted yet.
    #[must_use]
    pub fn new(settings: QuarantineSettings, metrics: Arc<FilterMetrics>) -> Self {
        Self {
            settings,
            began: Instant::now(),
            exchanges: Tally::default(),
            next_probe: AtomicU64::new(0),
            record: Mutex::default(),
            metrics,
        }
    }

    /// Whether the filter is not called any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.next_probe.load(Ordering::Relaxed) != 0
    }

    /// An exchange comes to the filter.
    pub(super) fn admit(&self) -> Admittance {
        let due = self.next_probe.load(Ordering::Relaxed);
        if due == 0 {
            self.exchanges.add(1);
            return Admittance::Called;
        }
        if self.claims_probe(due) {
            return Admittance::Probe;
        }
        self.metrics.quarantined();
        Admittance::Instead(self.settings.action)
    }

    /// Whether it is time for a probe and nobody else makes it. If nothing comes of it, the next one is made in its time.
    fn claims_probe(&self, due: u64) -> bool {
        let now = self.now();
        if now < due {
            return false;
        }
        let next = now + millis(self.interval(self.record().step));
        self.next_probe.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The filter has faulted.
    pub(super) fn faulted(&self, policy: &str) {
        let mut record = self.record();
        if self.is_closed() {
            // Of a probe, or of an exchange that began before.
            return;
        }
        let (now, exchanges) = (Instant::now(), self.exchanges.sum());
        if record.since.is_none_or(|since| now - since > self.settings.within) {
            (record.since, record.faults) = (Some(now), 0);
            // The one that has faulted is one of them.
            record.exchanges = exchanges.saturating_sub(1);
        }
        record.faults += 1;
        let of = exchanges.saturating_sub(record.exchanges);
        let share = u64::from(record.faults) * 1_000 >= of * u64::from(self.settings.per_mille);
        if record.faults < self.settings.faults || !share {
            return;
        }
        // One that was well for a while begins anew; one that was not waits longer than the last time.
        let wait = self.interval(record.step);
        record.step = match record.back {
            Some(back) if now - back <= self.settings.within.max(wait) => record.step + 1,
            _ => 0,
        };
        let probe_in = self.interval(record.step);
        tracing::error!(policy, faults = record.faults, ?probe_in, "a policy faults too often and is quarantined");
        record.since = None;
        self.next_probe.store(self.now() + millis(probe_in), Ordering::Relaxed);
        self.metrics.set_in_quarantine(true);
    }

    /// An exchange that was to try the filter has ended, well or not.
    pub(super) fn probed(&self, policy: &str, well: bool) {
        let mut record = self.record();
        if !self.is_closed() {
            return;
        }
        if well {
            record.back = Some(Instant::now());
            self.next_probe.store(0, Ordering::Relaxed);
            self.metrics.set_in_quarantine(false);
            tracing::warn!(policy, "a policy is well again and leaves quarantine");
        } else {
            record.step += 1;
            self.next_probe.store(self.now() + millis(self.interval(record.step)), Ordering::Relaxed);
        }
    }

    fn interval(&self, step: u32) -> Duration {
        let longest = LONGEST.max(self.settings.probe);
        self.settings.probe.saturating_mul(1 << step.min(20)).min(longest)
    }

    /// Never 0.
    fn now(&self) -> u64 {
        millis(self.began.elapsed()) + 1
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    const DENY: FaultAnswer = FaultAnswer::Deny(StatusCode::SERVICE_UNAVAILABLE);

    fn quarantine(faults: u32, probe: Duration) -> Quarantine {
        let within = Duration::from_secs(3_600);
        let settings = QuarantineSettings { faults, within, per_mille: 500, action: DENY, probe };
        Quarantine::new(settings, Arc::default())
    }

    #[test]
    fn too_many_faults_close_it_and_a_good_probe_opens_it() {
        let quarantine = quarantine(2, Duration::ZERO);
        for closed in [false, true] {
            assert_eq!(quarantine.admit(), Admittance::Called);
            quarantine.faulted("p");
            assert_eq!(quarantine.is_closed(), closed);
        }
        assert_eq!(quarantine.admit(), Admittance::Probe);
        quarantine.probed("p", false);
        assert!(quarantine.is_closed());
        assert_eq!(quarantine.admit(), Admittance::Probe);
        quarantine.probed("p", true);
        assert_eq!(quarantine.admit(), Admittance::Called);
    }

    #[test]
    fn one_exchange_at_a_time_tries_it() {
        let quarantine = quarantine(1, Duration::from_secs(3_600));
        assert_eq!(quarantine.admit(), Admittance::Called);
        quarantine.faulted("p");
        assert_eq!(quarantine.admit(), Admittance::Instead(DENY));
        quarantine.next_probe.store(1, Ordering::Relaxed);
        assert_eq!(quarantine.admit(), Admittance::Probe);
        assert_eq!(quarantine.admit(), Admittance::Instead(DENY));
    }

    #[test]
    fn few_faults_among_many_exchanges_are_not_too_many() {
        let quarantine = quarantine(3, Duration::ZERO);
        for _ in 0..10 {
            (0..3).for_each(|_| assert_eq!(quarantine.admit(), Admittance::Called));
            quarantine.faulted("p");
        }
        assert!(!quarantine.is_closed());
    }

    #[test]
    fn the_time_between_probes_grows_up_to_a_bound() {
        let quarantine = quarantine(1, Duration::from_secs(5));
        let intervals = [0, 1, 2, 20, 40].map(|step| quarantine.interval(step).as_secs());
        assert_eq!(intervals, [5, 10, 20, 600, 600]);
    }
}
