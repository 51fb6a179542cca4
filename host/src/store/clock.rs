//! What time it is for state: the machine's, or that of a hand which somebody moves, as tests of filters do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts time from when it was made.
#[derive(Clone, Debug)]
pub struct Clock {
    epoch: Instant,
    hand: Option<Arc<Hand>>,
}

/// Stands still until somebody moves it.
#[derive(Debug, Default)]
pub struct Hand(AtomicU64);

impl Default for Clock {
    /// The machine's.
    fn default() -> Self {
        Self { epoch: Instant::now(), hand: None }
    }
}

impl Clock {
    /// A clock with a hand.
    #[must_use]
    pub fn by_hand(hand: Arc<Hand>) -> Self {
        Self { hand: Some(hand), ..Self::default() }
    }

    /// How much time has passed on it.
    pub(super) fn elapsed(&self) -> Duration {
        self.hand.as_ref().map_or_else(|| self.epoch.elapsed(), |hand| hand.elapsed())
    }
}

impl Hand {
    /// How far it has been moved.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// Moves it on to that moment, unless it is there already.
    pub fn reach(&self, moment: Duration) {
        self.0.fetch_max(u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
