//! What filters log, and their faults, for whoever listens at the moment: a line of JSON for each. While nobody does it costs a
//! look at one number, and only where a filter logs or faults anyway. A listener who is slow loses lines, and is told how many;
//! no worker waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many lines a listener may be behind.
const BEHIND: usize = 512;
/// How many may listen at once.
const LISTENERS: usize = 16;
/// How many of the newest faults are kept.
const FAULTS: usize = 100;

/// Where they come from and go to.
#[derive(Debug, Default)]
pub struct Feed {
    count: AtomicUsize,
    listeners: Mutex<Vec<Listener>>,
    faults: Mutex<VecDeque<Value>>,
}

#[derive(Debug)]
struct Listener {
    policy: Option<String>,
    lines: Sender<Bytes>,
    lost: u64,
}

impl Feed {
    /// Whether anybody listens.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Tells all who listen to that policy. The event is made only then.
    pub fn tell(&self, policy: &str, event: impl FnOnce() -> Value) {
        if self.is_heard() {
            self.send(policy, line(policy, event()));
        }
    }

    /// Tells a fault, and keeps it among the newest if it is one that is logged.
    pub(super) fn tell_fault(&self, policy: &str, keep: bool, event: impl FnOnce() -> Value) {
        if !keep && !self.is_heard() {
            return;
        }
        let told = line(policy, event());
        if keep {
            let mut faults = lock(&self.faults);
            if faults.len() == FAULTS {
                faults.pop_front();
            }
            faults.push_back(told.clone());
        }
        if self.is_heard() {
            self.send(policy, told);
        }
    }

    /// The newest faults that were logged, the newest first; of one policy if it is named.
    #[must_use]
    pub fn faults(&self, policy: Option<&str>) -> Vec<Value> {
        let faults = lock(&self.faults);
        let is_wanted = |fault: &&Value| policy.is_none_or(|policy| fault["policy"] == policy);
        faults.iter().rev().filter(is_wanted).cloned().collect()
    }

    /// Listens, to one policy or to all; none if there are too many who do.
    #[must_use]
    pub fn listen(self: &Arc<Self>, policy: Option<String>) -> Option<Listening> {
        let mut listeners = lock(&self.listeners);
        listeners.retain(|listener| !listener.lines.is_closed());
        if listeners.len() >= LISTENERS {
            return None;
        }
        let (lines, heard) = channel(BEHIND);
        listeners.push(Listener { policy, lines, lost: 0 });
        self.count.store(listeners.len(), Ordering::Relaxed);
        Some(Listening { feed: Arc::clone(self), lines: heard })
    }

    fn send(&self, policy: &str, event: Value) {
        let line = Bytes::from(format!("{event}\n"));
        for listener in lock(&self.listeners).iter_mut() {
            if listener.policy.as_deref().is_none_or(|wanted| wanted == policy) {
                listener.send(&line);
            }
        }
    }
}

impl Listener {
    fn send(&mut self, line: &Bytes) {
        if self.lost > 0 {
            let told = Bytes::from(format!("{}\n", json!({ "event": "lost", "lines": self.lost })));
            match self.lines.try_send(told) {
                Ok(()) => self.lost = 0,
                Err(_) => return self.lost += 1,
            }
        }
        if self.lines.try_send(line.clone()).is_err() {
            self.lost += 1;
        }
    }
}

/// Somebody who listens, until dropped.
#[derive(Debug)]
pub struct Listening {
    feed: Arc<Feed>,
    lines: Receiver<Bytes>,
}

impl Listening {
    /// The next line. There is always another one to wait for.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.lines.poll_recv(context)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.lines.close();
        let mut listeners = lock(&self.feed.listeners);
        listeners.retain(|listener| !listener.lines.is_closed());
        self.feed.count.store(listeners.len(), Ordering::Relaxed);
    }
}

fn line(policy: &str, mut event: Value) -> Value {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    event["at"] = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).into();
    event["policy"] = policy.into();
    event
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(listening: &mut Listening) -> Value {
        let line = listening.lines.try_recv().unwrap();
        assert_eq!(line.last(), Some(&b'\n'));
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn each_hears_what_it_listens_to() {
        let feed = Arc::new(Feed::default());
        feed.tell("a", || panic!("nobody listens"));
        let (mut all, mut of_b) = (feed.listen(None).unwrap(), feed.listen(Some("b".to_owned())).unwrap());
        feed.tell("a", || json!({ "event": "log" }));
        feed.tell("b", || json!({ "event": "log" }));
        assert_eq!((next(&mut all)["policy"].clone(), next(&mut all)["policy"].clone()), ("a".into(), "b".into()));
        assert_eq!(next(&mut of_b)["policy"], "b");
        drop((all, of_b));
        assert!(!feed.is_heard());
    }

    #[test]
    fn who_is_slow_loses_lines_and_is_told() {
        let feed = Arc::new(Feed::default());
        let mut slow = feed.listen(None).unwrap();
        (0..BEHIND + 3).for_each(|_| feed.tell("a", || json!({})));
        (0..BEHIND).for_each(|_| drop(next(&mut slow)));
        feed.tell("a", || json!({}));
        assert_eq!(next(&mut slow), json!({ "event": "lost", "lines": 3 }));
        assert_eq!(next(&mut slow)["policy"], "a");
    }

    #[test]
    fn listeners_and_faults_are_bounded() {
        let feed = Arc::new(Feed::default());
        let all: Vec<_> = (0..LISTENERS).map(|_| feed.listen(None).unwrap()).collect();
        assert!(feed.listen(None).is_none());
        drop(all);
        (0..FAULTS + 1).for_each(|number| feed.tell_fault("a", true, || json!({ "number": number })));
        feed.tell_fault("a", false, || panic!("nobody listens, and it is not kept"));
        assert_eq!((feed.faults(Some("a")).len(), feed.faults(Some("b")).len()), (FAULTS, 0));
        assert_eq!(feed.faults(None)[0]["number"], FAULTS);
    }
}
