//! The world that the policies of a case are in: its time goes on only when the case says so, and its random numbers are always
//! the same.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::cases::{LimiterCase, Now, RandomCase, Setting};
use crate::sandbox::Sources;
use crate::store::{Clock, Decision, Hand};

/// Time, random numbers and the answers of rate limits of a case.
#[derive(Debug, Default)]
pub(super) struct World {
    /// How much time has passed.
    hand: Arc<Hand>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What time it was when the hand began, since the Unix epoch.
    began: Duration,
    /// How much time passes with each look at a clock.
    step: Duration,
    random: Random,
    decision: Option<Decision>,
    /// Whether no store can be reached.
    outage: bool,
}

/// Where random numbers come from.
#[derive(Debug, Default)]
struct Random {
    seed: u64,
    /// These bytes in turn, if there are any.
    bytes: Vec<u8>,
    next: usize,
}

impl World {
    /// The clock of what is stored.
    pub(super) fn clock(&self) -> Clock {
        Clock::by_hand(Arc::clone(&self.hand))
    }

    /// Makes it as a case says before an exchange.
    pub(super) fn set(&self, setting: &Setting) {
        self.pass(setting.after);
        if let Some(now) = setting.now {
            self.set_now(now);
        }
        let mut state = self.state();
        if let Some(random) = &setting.random {
            state.random = Random::of(random);
        }
        state.decision = setting.limiter.map(decision);
        state.outage = setting.outage;
    }

    /// How much time has passed.
    pub(super) fn elapsed(&self) -> Duration {
        self.hand.elapsed()
    }

    /// So much time passes.
    pub(super) fn pass(&self, time: Duration) {
        self.reach(self.elapsed() + time);
    }

    /// Time goes on to that moment, if it has not come there yet.
    pub(super) fn reach(&self, elapsed: Duration) {
        self.hand.reach(elapsed);
    }

    /// A machine's clock may be set back, but time does not run backwards.
    fn set_now(&self, now: Now) {
        let mut state = self.state();
        let before = state.began + self.elapsed();
        match now.at.checked_sub(before) {
            Some(later) if state.began > Duration::ZERO => self.pass(later),
            _ => state.began = now.at.saturating_sub(self.elapsed()),
        }
        state.step = now.step;
    }

    fn look(&self, read: impl FnOnce(&State, Duration) -> Duration) -> u64 {
        let (state, elapsed) = (self.state(), self.elapsed());
        self.pass(state.step);
        u64::try_from(read(&state, elapsed).as_nanos()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sources for World {
    fn wall_clock(&self) -> u64 {
        self.look(|state, elapsed| state.began + elapsed)
    }

    fn monotonic_clock(&self) -> u64 {
        self.look(|_, elapsed| elapsed)
    }

    fn random(&self, count: usize) -> Vec<u8> {
        let random = &mut self.state().random;
        (0..count).map(|_| random.byte()).collect()
    }

    fn decision(&self) -> Option<Decision> {
        self.state().decision
    }

    fn has_outage(&self) -> bool {
        self.state().outage
    }
}

impl Random {
    fn of(case: &RandomCase) -> Self {
        match case {
            RandomCase::Seed(seed) => Self { seed: *seed, ..Self::default() },
            RandomCase::Bytes(bytes) => Self { bytes: bytes.clone(), ..Self::default() },
        }
    }

    fn byte(&mut self) -> u8 {
        let at = self.next;
        self.next += 1;
        match self.bytes.len() {
            0 => splitmix(self.seed.wrapping_add(at as u64 / 8)).to_le_bytes()[at % 8],
            length => self.bytes[at % length],
        }
    }
}

/// The number in that place of a sequence that looks like chance.
fn splitmix(place: u64) -> u64 {
    let mixed = place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn decision(case: LimiterCase) -> Decision {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (retry_after_ms, reset_after_ms) = (millis(case.retry_after), millis(case.reset_after));
    Decision { allowed: case.allowed, remaining: case.remaining, retry_after_ms, reset_after_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, step: u64) -> Setting {
        let now = Now { at: Duration::from_secs(seconds), step: Duration::from_nanos(step) };
        Setting { now: Some(now), ..Setting::default() }
    }

    #[test]
    fn time_goes_on_as_the_case_says_and_never_back() {
        let world = World::default();
        world.set(&at(1_000, 0));
        assert_eq!((world.wall_clock(), world.monotonic_clock()), (1_000_000_000_000, 0));
        world.set(&Setting { after: Duration::from_secs(5), ..Setting::default() });
        assert_eq!((world.wall_clock(), world.monotonic_clock()), (1_005_000_000_000, 5_000_000_000));
        world.set(&at(900, 0));
        assert_eq!((world.wall_clock(), world.monotonic_clock()), (900_000_000_000, 5_000_000_000));
        world.set(&at(910, 3));
        assert_eq!([world.monotonic_clock(), world.monotonic_clock()], [15_000_000_000, 15_000_000_003]);
    }

    #[test]
    fn random_numbers_are_those_of_the_seed_or_the_bytes_given() {
        let of = |random| {
            let world = World::default();
            world.set(&Setting { random: Some(random), ..Setting::default() });
            [world.random(5), world.random(4)].concat()
        };
        assert_eq!(of(RandomCase::Seed(7)), of(RandomCase::Seed(7)));
        assert_ne!(of(RandomCase::Seed(7)), of(RandomCase::Seed(0)));
        assert_eq!(of(RandomCase::Bytes(vec![1, 2])), [1, 2, 1, 2, 1, 2, 1, 2, 1]);
    }
}
