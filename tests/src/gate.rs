//! Waiting for each other without sleeping.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long anything is waited for before the story fails. Generous: it is met only where something hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Closed until somebody opens it, and open from then on. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through.
    pub fn open(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Waits until the gate is open.
    #[track_caller]
    pub fn wait(&self) {
        assert!(self.wait_for(PATIENCE), "nobody opened the gate");
    }

    /// Whether the gate is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.wait_for(Duration::ZERO)
    }

    fn wait_for(&self, patience: Duration) -> bool {
        let open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(open, patience, |open| !*open);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Asks again and again until the answer is yes.
#[track_caller]
pub fn eventually(what: &str, mut question: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !question() {
        assert!(Instant::now() < deadline, "never came to pass: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
