//! What a program writes, line by line as it comes.

use std::io::BufRead;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::gate::PATIENCE;

/// The lines of one program. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Shared>);

/// The lines so far, and whether they have ended.
type State = (Vec<String>, bool);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    more: Condvar,
}

impl Lines {
    /// Reads in a thread of its own.
    pub(crate) fn read(from: impl BufRead + Send + 'static) -> Self {
        let lines = Self::default();
        let into = lines.clone();
        std::thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                into.update(|lines| lines.0.push(line));
            }
            into.update(|lines| lines.1 = true);
        });
        lines
    }

    /// Waits for a line that contains all of these.
    #[track_caller]
    pub(crate) fn find(&self, parts: &[&str]) -> String {
        let find = |lines: &[String]| lines.iter().find(|line| parts.iter().all(|part| line.contains(part))).cloned();
        let lines = self.wait(PATIENCE, |(lines, ended)| find(lines).is_none() && !*ended);
        find(&lines).unwrap_or_else(|| panic!("no line with {parts:?}:\n{}", lines.join("\n")))
    }

    /// All lines once there are no more.
    pub(crate) fn rest(&self, patience: Duration) -> Vec<String> {
        self.wait(patience, |(_, ended)| !*ended)
    }

    fn update(&self, update: impl FnOnce(&mut State)) {
        update(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.more.notify_all();
    }

    fn wait(&self, patience: Duration, waiting: impl FnMut(&mut State) -> bool) -> Vec<String> {
        let lines = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.more.wait_timeout_while(lines, patience, waiting);
        waited.unwrap_or_else(PoisonError::into_inner).0.0.clone()
    }
}
