//! What follows from trials: the version on trial is for all, or the one before it serves again.

use std::sync::Arc;
use std::time::Instant;

use super::Reloader;
use super::judge::{Judgement, Verdict, percent};
use super::rules::Fired;
use crate::config::TrialMode;
use crate::deploy::{Record, Stage};
use crate::snapshot::{Course, Snapshot};
use crate::telemetry::TrialOutcome;

impl Reloader {
    /// Does what a judgement says, unless the policy is another one by now.
    pub(super) fn conclude(&mut self, Judgement { course, verdict }: &Judgement) {
        let snapshot = self.store.load();
        let current = snapshot.trial_of(&course.policy).is_some_and(|trial| Arc::ptr_eq(&trial.course, course));
        if !current {
            return;
        }
        match verdict {
            Verdict::Well(why) => self.promote(course, why),
            Verdict::Bad(fired) => self.roll_back(course, fired),
        }
    }

    fn promote(&mut self, course: &Course, why: &str) {
        self.deploy.begin(Record::GATEWAY, None);
        self.deploy.prove(&course.policy, course.candidate);
        let record = self.deploy.note(Stage::Trial).took(course.began.elapsed());
        self.deploy.record(record.of(&course.policy, Some(course.candidate), None).because(why));
        match self.rebuild(Some(&course.policy), None) {
            Ok(built) => self.go_live(built),
            Err(error) => tracing::error!(policy = &*course.policy, error, "a trial cannot be ended; it serves on"),
        }
    }

    fn roll_back(&mut self, course: &Course, Fired { rule, why }: &Fired) {
        let (started, by) = (Instant::now(), format!("rule {rule}"));
        self.deploy.begin(&by, None);
        let reason = format!("rolled back by {by}: {why}");
        self.deploy.reject(&course.policy, course.candidate, course.stable, &reason);
        let record = self.deploy.note(Stage::Trial).of(&course.policy, Some(course.candidate), None);
        self.deploy.record(record.took(course.began.elapsed()).failed(why));
        match self.rebuild(Some(&course.policy), None) {
            Ok(built) => self.go_live(built),
            // No exchange begins on it all the same.
            Err(error) => tracing::error!(policy = &*course.policy, error, "a roll-back is not complete"),
        }
        let record = self.deploy.note(Stage::RollBack).took(started.elapsed());
        self.deploy.record(record.of(&course.policy, Some(course.stable), None).because(why));
    }

    /// Tells of trials that begin for some of the exchanges. That a version is live at once has been told.
    pub(super) fn begin_trials(&self) {
        for trial in &self.store.load().trials {
            let Course { policy, change, candidate, settings, .. } = &*trial.course;
            let is_shadow = matches!(settings.mode, TrialMode::Shadow(_));
            if !trial.course.is_immediate() && trial.course.is_untold() {
                let how = if is_shadow { ", for it to look on" } else { "" };
                let reason = format!("{} of the exchanges{how}", percent(trial.course.share()));
                let digest = Some(trial.candidate.filter.module.digest);
                self.deploy
                    .record(Record::new(*change, Stage::Trial).of(policy, Some(*candidate), digest).because(reason));
            }
        }
    }

    /// Counts what became of trials that are no more.
    pub(super) fn end_trials(&self, before: &Snapshot, now: &Snapshot) {
        for trial in &before.trials {
            let course = &trial.course;
            if now.trials.iter().any(|known| Arc::ptr_eq(&known.course, course)) {
                continue;
            }
            let status = now.statuses.iter().find(|status| *status.name == *course.policy);
            let is_now = |version| status.is_some_and(|status| status.version == Some(version));
            let outcome = if is_now(course.candidate) && status.is_some_and(|status| status.held.is_none()) {
                TrialOutcome::Promoted
            } else if is_now(course.stable) && status.is_some_and(|status| status.held.is_some()) {
                TrialOutcome::RolledBack
            } else {
                TrialOutcome::Ended
            };
            // Another one may have begun.
            if now.trial_of(&course.policy).is_none() {
                course.metrics.ended(outcome);
            } else {
                course.metrics.count(outcome);
            }
        }
    }
}
