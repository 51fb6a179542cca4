//! Counters of policies that have a version on trial: what each of the two versions does, and what came of trials.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::counters::Counters;
use super::fault::FaultClass;
use super::metrics::{Page, seconds};
use super::names;

const EXCHANGES: usize = 0;
const CPU: usize = 1;
const FIRST_STATUS: usize = 2;
const STATUSES: usize = 5;
const FIRST_FAULT: usize = FIRST_STATUS + STATUSES;
const FIRST_BUCKET: usize = FIRST_FAULT + FaultClass::ALL.len();
/// Of CPU time: two for each doubling, from a microsecond to half a minute.
const BUCKETS: usize = 50;

/// What one version of a policy does while a version is on trial.
#[derive(Debug, Default)]
pub struct Figures(Counters<{ FIRST_BUCKET + BUCKETS }>);

impl Figures {
    /// An exchange has come to the filter.
    pub fn exchange(&self) {
        self.0.add(EXCHANGES, 1);
    }

    /// The filter has faulted.
    pub fn faulted(&self, class: FaultClass) {
        self.0.add(FIRST_FAULT + class as usize, 1);
    }

    /// An exchange that had come to the filter has ended with that status, if it had one.
    pub fn ended(&self, status: Option<http::StatusCode>) {
        if let Some(status) = status {
            self.0.add(FIRST_STATUS + usize::from(status.as_u16() / 100).clamp(1, STATUSES) - 1, 1);
        }
    }

    /// All its hooks together have taken so much CPU time.
    pub fn took(&self, cpu: Duration) {
        self.0.add(CPU, u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX));
        self.0.add(FIRST_BUCKET + bucket(cpu), 1);
    }

    /// What there is so far.
    #[must_use]
    pub fn count(&self) -> Counted {
        let sums = |first: usize| move |place: usize| self.0.sum(first + place);
        Counted {
            // Faults first: whoever faults has been counted before.
            faults: std::array::from_fn(sums(FIRST_FAULT)),
            exchanges: self.0.sum(EXCHANGES),
            cpu: Duration::from_nanos(self.0.sum(CPU)),
            statuses: std::array::from_fn(sums(FIRST_STATUS)),
            buckets: std::array::from_fn(sums(FIRST_BUCKET)),
        }
    }
}

/// Figures at one moment, or what has come between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Exchanges that came to the filter.
    pub exchanges: u64,
    faults: [u64; FaultClass::ALL.len()],
    statuses: [u64; STATUSES],
    cpu: Duration,
    buckets: [u64; BUCKETS],
}

impl Default for Counted {
    fn default() -> Self {
        Figures::default().count()
    }
}

impl Counted {
    /// What has come since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            exchanges: self.exchanges.saturating_sub(before.exchanges),
            faults: less(&self.faults, &before.faults),
            statuses: less(&self.statuses, &before.statuses),
            cpu: self.cpu.saturating_sub(before.cpu),
            buckets: less(&self.buckets, &before.buckets),
        }
    }

    /// How many faults there were of the classes that are wanted.
    #[must_use]
    pub fn faults(&self, wanted: impl Fn(FaultClass) -> bool) -> u64 {
        FaultClass::ALL.iter().filter(|class| wanted(**class)).map(|class| self.faults[*class as usize]).sum()
    }

    /// How many replies there were of a class, 1 to 5.
    #[must_use]
    pub fn replies(&self, class: usize) -> u64 {
        self.statuses.get(class.wrapping_sub(1)).copied().unwrap_or(0)
    }

    /// How many replies there were.
    #[must_use]
    pub fn all_replies(&self) -> u64 {
        self.statuses.iter().sum()
    }

    /// How many exchanges were measured.
    #[must_use]
    pub fn measured(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The CPU time of hooks for an exchange, on average.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let measured = u32::try_from(self.measured()).unwrap_or(u32::MAX);
        self.cpu.checked_div(measured).unwrap_or_default()
    }

    /// What it is below for 99 exchanges of 100, to the next bound of the histogram.
    #[must_use]
    pub fn p99(&self) -> Duration {
        let all = self.measured();
        let mut below = 0;
        let reached = self.buckets.iter().position(|count| {
            below += count;
            all > 0 && below * 100 >= all * 99
        });
        reached.map_or(Duration::ZERO, bound)
    }
}

fn less<const N: usize>(now: &[u64; N], before: &[u64; N]) -> [u64; N] {
    std::array::from_fn(|place| now[place].saturating_sub(before[place]))
}

/// The first bucket whose bound is not below that.
fn bucket(cpu: Duration) -> usize {
    (0..BUCKETS - 1).find(|place| cpu <= bound(*place)).unwrap_or(BUCKETS - 1)
}

/// 1 µs, 1.5 µs, 2 µs, 3 µs, 4 µs, …
fn bound(place: usize) -> Duration {
    let double = 1_000_u64 << (place / 2);
    Duration::from_nanos(double + if place.is_multiple_of(2) { 0 } else { double / 2 })
}

/// What came of trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialOutcome {
    /// The version has proved well.
    Promoted,
    /// A rule, or somebody, has had it rolled back.
    RolledBack,
    /// Something else happened to the policy first.
    Ended,
}

impl TrialOutcome {
    const ALL: [Self; 3] = [Self::Promoted, Self::RolledBack, Self::Ended];

    fn label(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled-back",
            Self::Ended => "ended",
        }
    }
}

/// Counters of the trials of one policy.
#[derive(Debug, Default)]
pub struct TrialMetrics {
    outcomes: [AtomicU64; TrialOutcome::ALL.len()],
    share: AtomicU64,
    current: Mutex<Current>,
}

/// The figures of the trial that is under way: of the older version, and of the one on trial.
type Current = (Weak<Figures>, Weak<Figures>);

impl TrialMetrics {
    /// A trial begins.
    pub fn begin(&self, stable: &Arc<Figures>, candidate: &Arc<Figures>) {
        *self.current() = (Arc::downgrade(stable), Arc::downgrade(candidate));
    }

    /// So many thousandths of the exchanges get the version on trial.
    pub fn set_share(&self, per_mille: u32) {
        self.share.store(per_mille.into(), Ordering::Relaxed);
    }

    /// It has ended.
    pub fn ended(&self, outcome: TrialOutcome) {
        self.set_share(0);
        *self.current() = Current::default();
        self.count(outcome);
    }

    /// One has ended, and another one is under way.
    pub fn count(&self, outcome: TrialOutcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The families of trials, of the policies that have had any.
pub(super) fn render(page: &mut Page, trials: &BTreeMap<String, Arc<TrialMetrics>>) {
    page.family(names::TRIALS, "counter", "trials of new versions that have ended, by policy and outcome");
    for (policy, metrics) in trials {
        for outcome in TrialOutcome::ALL {
            let count = metrics.outcomes[outcome as usize].load(Ordering::Relaxed);
            page.sample(names::TRIALS, &[("policy", policy), ("outcome", outcome.label())], count);
        }
    }
    page.family(names::TRIAL_SHARE, "gauge", "the share of exchanges that get a version on trial, by policy");
    for (policy, metrics) in trials {
        page.sample(names::TRIAL_SHARE, &[("policy", policy)], seconds(metrics.share.load(Ordering::Relaxed) * 1_000));
    }
    let running: Vec<_> = trials.iter().flat_map(|(policy, metrics)| sides(policy, metrics)).collect();
    let mut family = |name: &str, help: &str, value: &dyn Fn(&Counted) -> f64| {
        page.family(name, "gauge", help);
        for (policy, side, counted) in &running {
            page.sample(name, &[("policy", policy), ("version", side)], value(counted));
        }
    };
    #[allow(clippy::cast_precision_loss, reason = "counts shown as numbers")]
    let number = |count: u64| count as f64;
    let of = "of the trial under way, by policy and version";
    family(names::TRIAL_EXCHANGES, &format!("exchanges {of}"), &|it| number(it.exchanges));
    family(names::TRIAL_FAULTS, &format!("faults {of}"), &|it| number(it.faults(|_| true)));
    family(names::TRIAL_SERVER_ERRORS, &format!("5xx replies {of}"), &|it| number(it.replies(5)));
    family(names::TRIAL_CPU, &format!("mean CPU time of hooks for an exchange {of}"), &|it| it.mean().as_secs_f64());
}

fn sides<'a>(policy: &'a str, metrics: &TrialMetrics) -> Vec<(&'a str, &'static str, Counted)> {
    let (stable, candidate) = &*metrics.current();
    let side = |figures: &Weak<Figures>, name| Some((policy, name, figures.upgrade()?.count()));
    side(stable, "stable").into_iter().chain(side(candidate, "candidate")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_between_two_moments_is_told() {
        let figures = Figures::default();
        figures.exchange();
        figures.faulted(FaultClass::Deadline);
        let before = figures.count();
        figures.exchange();
        figures.ended(Some(http::StatusCode::BAD_GATEWAY));
        figures.took(Duration::from_micros(5));
        let since = figures.count().since(&before);
        assert_eq!((since.exchanges, since.faults(|_| true), since.replies(5), since.all_replies()), (1, 0, 1, 1));
        assert_eq!((since.mean(), since.p99()), (Duration::from_micros(5), Duration::from_micros(6)));
        assert_eq!(figures.count().faults(|class| class == FaultClass::Deadline), 1);
    }

    #[test]
    fn the_slowest_of_a_hundred_does_not_count_and_two_do() {
        let figures = Figures::default();
        (0..99).for_each(|_| figures.took(Duration::from_micros(1)));
        figures.took(Duration::from_millis(100));
        assert_eq!(figures.count().p99(), Duration::from_micros(1));
        figures.took(Duration::from_millis(100));
        assert!(figures.count().p99() >= Duration::from_millis(100));
        assert!(figures.count().p99() < Duration::from_millis(140));
        figures.took(Duration::from_secs(3_600));
    }
}
