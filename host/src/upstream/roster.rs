//! Who belongs to an upstream and how each of them is. Kept by the control thread; what workers see of it is made anew at
//! each change. Knows no clock: whoever calls says what time it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::endpoint::{Candidate, Endpoint};
use crate::config::{HealthCheck, Outlier, UpstreamOptions};

/// How many times longer than the first an ejection gets at most.
const LONGEST_EJECTION: u32 = 10;

/// Weights are multiplied by this while one of them rises.
const STEPS: u128 = 100;

/// The endpoints of an upstream.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) entries: Vec<Entry>,
}

/// An endpoint, and what is known about it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) endpoint: Arc<Endpoint>,
    weight: u32,
    verdict: Verdict,
    /// Answers in a row that speak against the verdict.
    against: u32,
    ejected_until: Option<Instant>,
    /// The ejections that count for the length of the next.
    ejections: u32,
    /// When it came, or came back; none if it was there from the beginning.
    since: Option<Instant>,
    /// Why the latest check was bad.
    pub(super) complaint: Option<String>,
}

/// What checks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Unknown,
    Good,
    Bad,
}

/// How an endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// In use.
    Up,
    /// No check has been answered yet.
    Unchecked,
    /// Its checks fail.
    Unhealthy,
    /// It failed requests and is left out for a while.
    Ejected,
}

impl EndpointState {
    /// As the admin pages name it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Unchecked => "unchecked",
            Self::Unhealthy => "unhealthy",
            Self::Ejected => "ejected",
        }
    }
}

/// Whom requests go to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// Indices of entries, and their weights.
    pub(super) usable: Vec<(usize, u32)>,
    /// Too few are well, so all are used.
    pub(super) panic: bool,
}

impl Roster {
    /// Takes over those who stay and makes the others new.
    pub(super) fn set_members(
        &mut self,
        candidates: &[Candidate],
        now: Instant,
        mut make: impl FnMut(&Candidate) -> Arc<Endpoint>,
    ) {
        let is_first = self.entries.is_empty();
        let mut known = std::mem::take(&mut self.entries);
        for candidate in candidates {
            if self.entries.iter().any(|entry| entry.endpoint.address == candidate.address) {
                continue;
            }
            let same =
                |entry: &Entry| entry.endpoint.address == candidate.address && entry.endpoint.host == candidate.host;
            let mut entry = match known.iter().position(same) {
                Some(index) => known.swap_remove(index),
                None => Entry::new(make(candidate), (!is_first).then_some(now)),
            };
            entry.weight = candidate.weight;
            self.entries.push(entry);
        }
    }

    /// An answer to a check. Says whether the verdict has changed.
    pub(super) fn checked(
        &mut self,
        address: SocketAddr,
        answer: Result<(), String>,
        rules: &HealthCheck,
        now: Instant,
    ) -> bool {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.endpoint.address == address) else { return false };
        let verdict = if answer.is_ok() { Verdict::Good } else { Verdict::Bad };
        entry.complaint = answer.err();
        if verdict == entry.verdict {
            entry.against = 0;
            return false;
        }
        entry.against += 1;
        // Of an endpoint that nothing is known about the first answer decides.
        let needed = match entry.verdict {
            Verdict::Unknown => 1,
            Verdict::Good => rules.unhealthy,
            Verdict::Bad => rules.healthy,
        };
        if entry.against < needed {
            return false;
        }
        if entry.verdict == Verdict::Bad {
            entry.since = Some(now);
        }
        (entry.verdict, entry.against) = (verdict, 0);
        true
    }

    /// Leaves out those who have failed too many requests in a row, as far as the share allows. Says who they are.
    pub(super) fn eject(&mut self, rules: &Outlier, now: Instant) -> Vec<Arc<Endpoint>> {
        let most = rules.max_ejected.of(self.entries.len());
        let mut count = self.entries.iter().filter(|entry| entry.is_ejected()).count();
        let mut ejected = Vec::new();
        for entry in &mut self.entries {
            let is_out = entry.is_ejected() || !entry.endpoint.take_failures(rules.failures);
            if is_out || count >= most {
                continue;
            }
            count += 1;
            entry.ejections = (entry.ejections + 1).min(LONGEST_EJECTION);
            entry.ejected_until = Some(now + rules.ejection * entry.ejections);
            ejected.push(Arc::clone(&entry.endpoint));
        }
        ejected
    }

    /// Takes back those whose ejection is over.
    pub(super) fn readmit(&mut self, now: Instant) {
        for entry in &mut self.entries {
            if entry.ejected_until.is_some_and(|until| until <= now) {
                entry.ejected_until = None;
                entry.since = Some(now);
            }
        }
    }

    /// An interval has passed: those who behaved are a step closer to a clean record.
    pub(super) fn forgive(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| !entry.is_ejected()) {
            entry.ejections = entry.ejections.saturating_sub(1);
        }
    }

    /// Whom requests go to now.
    pub(super) fn selection(&self, options: &UpstreamOptions, now: Instant) -> Selection {
        let well = |(_, entry): &(usize, &Entry)| entry.state(options) == EndpointState::Up;
        let count = self.entries.iter().enumerate().filter(well).count();
        let panic = options.panic_threshold.is_more_than(count, self.entries.len());
        let chosen = self.entries.iter().enumerate().filter(|entry| panic || well(entry));
        let chosen: Vec<_> = chosen.collect();
        let rises = chosen.iter().any(|(_, entry)| entry.progress(options, now).is_some());
        let weigh = |entry: &Entry| match rises {
            true => entry.rising_weight(options, now),
            false => entry.weight,
        };
        Selection { usable: chosen.iter().map(|(index, entry)| (*index, weigh(entry))).collect(), panic }
    }
}

impl Entry {
    fn new(endpoint: Arc<Endpoint>, since: Option<Instant>) -> Self {
        Self {
            endpoint,
            weight: 1,
            verdict: Verdict::Unknown,
            against: 0,
            ejected_until: None,
            ejections: 0,
            since,
            complaint: None,
        }
    }

    pub(super) fn state(&self, options: &UpstreamOptions) -> EndpointState {
        match self.verdict {
            _ if self.is_ejected() && options.outlier.is_some() => EndpointState::Ejected,
            Verdict::Unknown if options.health.is_some() => EndpointState::Unchecked,
            Verdict::Bad if options.health.is_some() => EndpointState::Unhealthy,
            _ => EndpointState::Up,
        }
    }

    pub(super) fn weight(&self) -> u32 {
        self.weight
    }

    fn is_ejected(&self) -> bool {
        self.ejected_until.is_some()
    }

    /// How long ago it came, and how long its start takes, while that is not over.
    fn progress(&self, options: &UpstreamOptions, now: Instant) -> Option<(Duration, Duration)> {
        let whole = options.slow_start?;
        let part = now.saturating_duration_since(self.since?);
        (part < whole).then_some((part, whole))
    }

    /// Rises evenly from nearly nothing.
    fn rising_weight(&self, options: &UpstreamOptions, now: Instant) -> u32 {
        let steps = match self.progress(options, now) {
            Some((part, whole)) => (part.as_micros() * STEPS / whole.as_micros().max(1)).max(1),
            None => STEPS,
        };
        u32::try_from(u128::from(self.weight) * steps).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Probe, Share};

    const SECOND: Duration = Duration::from_secs(1);

    fn candidate(last: u8) -> Candidate {
        Candidate { host: format!("10.0.0.{last}"), address: SocketAddr::from(([10, 0, 0, last], 80)), weight: 1 }
    }

    fn roster(count: u8, now: Instant) -> Roster {
        let mut roster = Roster::default();
        set(&mut roster, count, now);
        roster
    }

    fn set(roster: &mut Roster, count: u8, now: Instant) {
        let candidates: Vec<_> = (0..count).map(candidate).collect();
        roster.set_members(&candidates, now, |new| Endpoint::new(new.host.clone(), new.address, Arc::default()));
    }

    fn health() -> UpstreamOptions {
        let health = HealthCheck { probe: Probe::Tcp, interval: SECOND, timeout: SECOND, healthy: 2, unhealthy: 3 };
        UpstreamOptions { health: Some(health), ..UpstreamOptions::default() }
    }

    fn outlier() -> UpstreamOptions {
        let outlier = Outlier { failures: 2, interval: SECOND, ejection: SECOND, max_ejected: Share::per_mille(500) };
        UpstreamOptions { outlier: Some(outlier), ..UpstreamOptions::default() }
    }

    fn check(roster: &mut Roster, last: u8, good: bool, now: Instant) -> bool {
        let answer = if good { Ok(()) } else { Err("no".to_owned()) };
        roster.checked(candidate(last).address, answer, health().health.as_ref().unwrap(), now)
    }

    fn chosen(roster: &Roster, options: &UpstreamOptions, now: Instant) -> Vec<usize> {
        roster.selection(options, now).usable.iter().map(|(index, _)| *index).collect()
    }

    fn fail(roster: &Roster, indices: &[usize]) {
        indices.iter().for_each(|index| (0..2).for_each(|_| _ = roster.entries[*index].endpoint.failed()));
    }

    #[test]
    fn the_first_answer_decides_and_later_ones_need_company() {
        let now = Instant::now();
        let mut roster = roster(3, now);
        assert!(roster.selection(&health(), now).panic, "nothing is known, so all are used");
        assert!((0..3).all(|last| check(&mut roster, last, true, now)));
        assert_eq!([check(&mut roster, 0, false, now), check(&mut roster, 0, false, now)], [false, false]);
        assert!(!check(&mut roster, 0, true, now), "a good answer between them begins anew");
        assert_eq!((0..3).map(|_| check(&mut roster, 0, false, now)).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(chosen(&roster, &health(), now), [1, 2]);
        assert_eq!((0..2).map(|_| check(&mut roster, 0, true, now)).collect::<Vec<_>>(), [false, true]);
        assert_eq!(chosen(&roster, &health(), now), [0, 1, 2]);
    }

    #[test]
    fn whoever_joins_is_not_used_before_its_first_check() {
        let now = Instant::now();
        let mut roster = roster(2, now);
        (0..2).for_each(|last| _ = check(&mut roster, last, true, now));
        set(&mut roster, 3, now);
        assert_eq!(chosen(&roster, &health(), now), [0, 1]);
        check(&mut roster, 2, true, now);
        assert_eq!(chosen(&roster, &health(), now), [0, 1, 2]);
    }

    #[test]
    fn too_few_that_are_well_are_a_panic() {
        let now = Instant::now();
        let mut roster = roster(4, now);
        (0..4).for_each(|last| _ = check(&mut roster, last, last < 2, now));
        assert_eq!(chosen(&roster, &health(), now), [0, 1]);
        (0..3).for_each(|_| _ = check(&mut roster, 0, false, now));
        assert!(roster.selection(&health(), now).panic, "a quarter is less than three tenths");
        let calm = UpstreamOptions { panic_threshold: Share::per_mille(0), ..health() };
        assert_eq!(chosen(&roster, &calm, now), [1]);
    }

    #[test]
    fn no_more_than_the_share_is_ejected_and_longer_each_time() {
        let now = Instant::now();
        let (mut roster, options) = (roster(5, now), outlier());
        let rules = options.outlier.as_ref().unwrap();
        fail(&roster, &[0, 1, 2, 3]);
        assert_eq!(roster.eject(rules, now).len(), 2, "half of five");
        assert_eq!(chosen(&roster, &options, now), [2, 3, 4]);
        assert_eq!(roster.eject(rules, now).len(), 0, "their failures are forgotten");
        roster.readmit(now + SECOND);
        assert_eq!(chosen(&roster, &options, now), [0, 1, 2, 3, 4]);
        fail(&roster, &[0]);
        roster.eject(rules, now);
        roster.readmit(now + SECOND);
        assert_eq!(chosen(&roster, &options, now), [1, 2, 3, 4], "the second time takes twice as long");
        roster.readmit(now + 2 * SECOND);
        assert_eq!(chosen(&roster, &options, now).len(), 5);
        (0..2).for_each(|_| roster.forgive());
        fail(&roster, &[0]);
        roster.eject(rules, now);
        roster.readmit(now + SECOND);
        assert_eq!(chosen(&roster, &options, now).len(), 5, "good behaviour is rewarded");
    }

    #[test]
    fn the_only_endpoint_is_never_ejected() {
        let now = Instant::now();
        let (mut roster, options) = (roster(1, now), outlier());
        fail(&roster, &[0]);
        assert!(roster.eject(options.outlier.as_ref().unwrap(), now).is_empty());
    }

    #[test]
    fn whoever_joins_rises_slowly() {
        let now = Instant::now();
        let options = UpstreamOptions { slow_start: Some(10 * SECOND), ..UpstreamOptions::default() };
        let mut roster = roster(1, now);
        assert_eq!(roster.selection(&options, now).usable, [(0, 1)], "from the beginning there is nothing to protect");
        set(&mut roster, 2, now);
        let weights = |after: u32| roster.selection(&options, now + after * SECOND).usable;
        assert_eq!(weights(0), [(0, 100), (1, 1)]);
        assert_eq!(weights(5), [(0, 100), (1, 50)]);
        assert_eq!(weights(10), [(0, 1), (1, 1)]);
    }

    #[test]
    fn those_who_stay_keep_what_is_known_about_them() {
        let now = Instant::now();
        let mut roster = roster(3, now);
        (0..3).for_each(|last| _ = check(&mut roster, last, last != 1, now));
        let before = Arc::clone(&roster.entries[1].endpoint);
        set(&mut roster, 2, now);
        assert!(Arc::ptr_eq(&before, &roster.entries[1].endpoint));
        assert_eq!(roster.entries[1].state(&health()), EndpointState::Unhealthy);
    }
}
