//! The stages that a policy goes through while it is made, with the time of each.

use std::time::{Duration, Instant};

use super::Stage;

/// Stages one after another; where one fails, the last is the one.
#[derive(Debug, Default)]
pub struct Steps {
    done: Vec<(Stage, Duration, Option<String>)>,
    current: Option<(Stage, Instant)>,
}

impl Steps {
    /// The next stage begins, and so the one before it has ended as it should.
    pub fn enter(&mut self, stage: Stage) {
        self.end();
        self.current = Some((stage, Instant::now()));
    }

    /// What fails now belongs to another stage than the one that began.
    pub fn is_rather(&mut self, stage: Stage) {
        if let Some((current, _)) = &mut self.current {
            *current = stage;
        }
    }

    /// Something to say about the stage that is under way.
    pub fn remark(&mut self, remark: impl Into<String>) {
        let Some((stage, since)) = self.current.take() else { return };
        self.done.push((stage, since.elapsed(), Some(remark.into())));
    }

    /// There was nothing to do in the stage that is under way.
    pub fn forget(&mut self) {
        self.current = None;
    }

    /// All stages that have ended as they should, and the one that did not.
    #[must_use]
    pub fn finish(&mut self, failed: bool) -> Finished {
        let failure = if failed { self.current.take().map(|(stage, since)| (stage, since.elapsed())) } else { None };
        self.end();
        Finished { done: std::mem::take(&mut self.done), failure }
    }

    fn end(&mut self) {
        if let Some((stage, since)) = self.current.take() {
            self.done.push((stage, since.elapsed(), None));
        }
    }
}

/// What became of the stages.
#[derive(Debug)]
pub struct Finished {
    /// Those that ended as they should, in their order, each with what there is to say about it.
    pub done: Vec<(Stage, Duration, Option<String>)>,
    /// The one that did not.
    pub failure: Option<(Stage, Duration)>,
}
