//! When a change is complete: nobody is writing any more, and nothing else has changed for a moment.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::EventKind;

use super::Event;
use super::judge::Judgement;
use super::operate::Request;
use super::watch::{is_end_of_write, path};

/// Changes that follow one another faster than that belong together.
const QUIET: Duration = Duration::from_millis(15);

/// How long to wait for the end of a write of which nothing more is heard: a file that is kept open, or a writer that died.
const STALLED_WRITE: Duration = Duration::from_millis(250);

/// How long changes can go on before they are looked at all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// Changes that are being gathered.
#[derive(Default)]
pub(super) struct Changes {
    /// Files that somebody has written to and not closed.
    writing: BTreeSet<PathBuf>,
    changed: bool,
    fetched: bool,
    requests: Vec<Request>,
    judgements: Vec<Judgement>,
}

/// Changes that have come to their end.
pub(super) struct Settled {
    /// How long that took.
    pub(super) took: Duration,
    /// Whether files have changed, or somebody asked for them to be read.
    pub(super) changed: bool,
    /// Whether modules were fetched.
    pub(super) fetched: bool,
    /// What else is to be done, in that order.
    pub(super) requests: Vec<Request>,
    /// What has been found about versions on trial.
    pub(super) judgements: Vec<Judgement>,
}

impl Changes {
    /// Waits for a change that concerns us and for its end, and for what else is to be done; none if the gateway stops.
    pub(super) fn wait(
        mut self,
        events: &Receiver<Event>,
        mut concerns: impl FnMut(&notify::Event) -> bool,
    ) -> Option<Settled> {
        let mut first: Option<Instant> = None;
        loop {
            let event = match first {
                None => events.recv().ok(),
                Some(since) => match events.recv_timeout(self.patience(since)) {
                    Ok(event) => Some(event),
                    Err(RecvTimeoutError::Timeout) => return Some(self.settled(since)),
                    Err(RecvTimeoutError::Disconnected) => None,
                },
            };
            match event? {
                Event::Stop => return None,
                Event::Asked => self.changed = true,
                Event::Fetched => self.fetched = true,
                Event::Changed(event) if concerns(&event) => self.note(&event),
                // Files may be in the middle of a change; nobody who asks should wait for its end.
                Event::Operate(request) if first.is_none() => {
                    self.requests.push(*request);
                    return Some(self.settled(Instant::now()));
                }
                Event::Operate(request) => self.requests.push(*request),
                Event::Judged(judgement) if first.is_none() => {
                    self.judgements.push(*judgement);
                    return Some(self.settled(Instant::now()));
                }
                Event::Judged(judgement) => self.judgements.push(*judgement),
                Event::Changed(_) => continue,
            }
            first.get_or_insert_with(Instant::now);
        }
    }

    fn patience(&self, since: Instant) -> Duration {
        let pause = if self.writing.is_empty() { QUIET } else { STALLED_WRITE };
        pause.min(PATIENCE.saturating_sub(since.elapsed()))
    }

    fn settled(self, since: Instant) -> Settled {
        Settled {
            took: since.elapsed(),
            changed: self.changed,
            fetched: self.fetched,
            requests: self.requests,
            judgements: self.judgements,
        }
    }

    fn note(&mut self, event: &notify::Event) {
        self.changed = true;
        let Some(path) = path(event) else { return };
        match event.kind {
            EventKind::Create(_) | EventKind::Modify(notify::event::ModifyKind::Data(_)) => {
                self.writing.insert(path.to_owned());
            }
            EventKind::Access(access) if is_end_of_write(access) => {
                self.writing.remove(path);
            }
            // Renamed or deleted: whoever wrote it has finished, or writes no more.
            EventKind::Remove(_) | EventKind::Modify(notify::event::ModifyKind::Name(_)) => {
                self.writing.retain(|path| !event.paths.contains(path));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use notify::event::{AccessKind, AccessMode, CreateKind, DataChange, ModifyKind};

    use super::*;

    fn event(kind: EventKind) -> Event {
        Event::Changed(notify::Event::new(kind).add_path("a.wasm".into()))
    }

    #[test]
    fn a_write_is_waited_for_until_it_is_closed() {
        let mut changes = Changes::default();
        let now = Instant::now();
        let note = |changes: &mut Changes, kind| changes.note(&notify::Event::new(kind).add_path("a.wasm".into()));
        note(&mut changes, EventKind::Create(CreateKind::File));
        note(&mut changes, EventKind::Modify(ModifyKind::Data(DataChange::Any)));
        assert_eq!(changes.patience(now), STALLED_WRITE);
        note(&mut changes, EventKind::Access(AccessKind::Close(AccessMode::Write)));
        assert_eq!(changes.patience(now), QUIET);
    }

    #[test]
    fn what_does_not_concern_us_wakes_nobody_and_stop_ends_the_wait() {
        let (sender, receiver) = channel();
        sender.send(event(EventKind::Create(CreateKind::File))).unwrap();
        sender.send(Event::Stop).unwrap();
        assert!(Changes::default().wait(&receiver, |_| false).is_none());
    }

    #[test]
    fn changes_that_come_together_are_one() {
        let (sender, receiver) = channel();
        for _ in 0..3 {
            sender.send(event(EventKind::Access(AccessKind::Close(AccessMode::Write)))).unwrap();
        }
        assert!(Changes::default().wait(&receiver, |_| true).is_some());
        assert!(receiver.try_recv().is_err());
    }
}
