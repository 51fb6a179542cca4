//! Looks at versions on trial a few times a second, on a thread that sleeps while there are none. A rule that fires takes effect at
//! once: no exchange begins on that version any more. What follows from it is done by the reload thread.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::Event;
use super::rules::{Both, Fired, fired};
use crate::config::{Canary, TrialMode};
use crate::deploy::{Journal, Record, Stage};
use crate::snapshot::{Course, Snapshot};

/// How often.
const EVERY: Duration = Duration::from_millis(200);

/// The newest exchanges are looked at by themselves: those of so long,
const RECENT: Duration = Duration::from_secs(1);

/// or of longer, if they are few, up to so many looks.
const LOOKS: usize = 150;

/// What was found about a version on trial.
pub(super) struct Judgement {
    pub(super) course: Arc<Course>,
    pub(super) verdict: Verdict,
}

pub(super) enum Verdict {
    /// It has proved well, as is said.
    Well(String),
    /// It has not.
    Bad(Fired),
}

/// The running thread. Ends when dropped.
pub(super) struct Judge(Sender<Vec<Arc<Course>>>);

impl Judge {
    pub(super) fn start(journal: Arc<Journal>, events: Sender<Event>) -> io::Result<Self> {
        let (courses, coming) = channel();
        let bench = Bench { journal, events, cases: Vec::new() };
        std::thread::Builder::new().name("trials".into()).spawn(move || bench.sit(&coming))?;
        Ok(Self(courses))
    }

    /// What serves now.
    pub(super) fn follow(&self, snapshot: &Snapshot) {
        let _ = self.0.send(snapshot.trials.iter().map(|trial| Arc::clone(&trial.course)).collect());
    }
}

struct Bench {
    journal: Arc<Journal>,
    events: Sender<Event>,
    cases: Vec<Case>,
}

/// A trial that is under way.
struct Case {
    course: Arc<Course>,
    /// Since when it is at its step, and what there was then.
    step: (Instant, Both),
    looks: VecDeque<(Instant, Both)>,
    judged: bool,
}

impl Bench {
    fn sit(mut self, coming: &Receiver<Vec<Arc<Course>>>) {
        loop {
            let courses = match self.cases.iter().any(|case| !case.judged) {
                true => coming.recv_timeout(EVERY),
                false => coming.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match courses {
                Ok(courses) => self.follow(courses),
                Err(RecvTimeoutError::Timeout) => self.judge(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn follow(&mut self, courses: Vec<Arc<Course>>) {
        self.cases.retain(|case| courses.iter().any(|course| Arc::ptr_eq(course, &case.course)));
        for course in courses {
            if !self.cases.iter().any(|case| Arc::ptr_eq(&case.course, &course)) {
                self.cases.push(Case::new(course));
            }
        }
    }

    fn judge(&mut self) {
        for case in self.cases.iter_mut().filter(|case| !case.judged) {
            if let Some(verdict) = case.look(Instant::now(), &self.journal) {
                case.judged = true;
                let judgement = Judgement { course: Arc::clone(&case.course), verdict };
                let _ = self.events.send(Event::Judged(Box::new(judgement)));
            }
        }
    }
}

impl Case {
    fn new(course: Arc<Course>) -> Self {
        let step = (Instant::now(), Both::default());
        Self { course, step, looks: VecDeque::new(), judged: false }
    }

    fn look(&mut self, now: Instant, journal: &Journal) -> Option<Verdict> {
        let both = Both::of(&self.course);
        let (rules, compared) = (&self.course.settings.rules, !self.course.is_immediate());
        let windows = [self.recent(now, &both), both.since(&self.step.1)];
        if let Some(fired) = windows.iter().find_map(|window| fired(rules, window, compared)) {
            self.course.stop();
            return Some(Verdict::Bad(fired));
        }
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back((now, both.clone()));
        match &self.course.settings.mode {
            TrialMode::Immediate(watch) => {
                let after = now - self.course.began;
                (after >= *watch).then(|| Verdict::Well(format!("watched for {after:.0?}: {both}")))
            }
            TrialMode::Canary(canary) => {
                let canary = canary.clone();
                self.advance(now, both, &canary, journal)
            }
            // Whether differences are meant is for people to say.
            TrialMode::Shadow(_) => None,
        }
    }

    /// What has come in the last moments, at least so many exchanges of the version on trial if there have been so many.
    fn recent(&self, now: Instant, both: &Both) -> Both {
        let enough = |(at, then): &&(Instant, Both)| {
            now - *at >= RECENT && both.since(then).candidate.exchanges >= self.course.settings.rules.exchanges
        };
        let then = self.looks.iter().rev().find(enough);
        both.since(then.map_or(&self.step.1, |(_, then)| then))
    }

    /// Goes on to the next step if this one has taken long enough and has been seen by enough exchanges.
    fn advance(&mut self, now: Instant, both: Both, canary: &Canary, journal: &Journal) -> Option<Verdict> {
        let here = both.since(&self.step.1);
        if now - self.step.0 < canary.every || here.candidate.exchanges < self.course.settings.rules.exchanges {
            return None;
        }
        let next = self.course.step() + 1;
        let Some(share) = canary.steps.get(next) else {
            return Some(Verdict::Well(format!("a canary of {} steps: {both}", canary.steps.len())));
        };
        self.course.go_to(next, *share);
        let reason = format!("{} of the exchanges; so far {both}", percent(share.thousandths()));
        let Course { policy, change, candidate, .. } = &*self.course;
        let record = Record::new(*change, Stage::Trial).of(policy, Some(*candidate), None).because(reason);
        journal.record(record.took(now - self.step.0).by(Record::GATEWAY, None));
        self.step = (now, both);
        None
    }
}

/// Thousandths as people write them.
pub(super) fn percent(thousandths: u32) -> String {
    match (thousandths / 10, thousandths % 10) {
        (whole, 0) => format!("{whole} %"),
        (whole, tenths) => format!("{whole}.{tenths} %"),
    }
}
