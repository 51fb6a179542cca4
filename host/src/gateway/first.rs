//! The first configuration: what is written, or, where that is no good, what served when the program ran last.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::StartError;
use crate::bundled;
use crate::config::{self, Config, Files, Overrides, Problem, Recording, Source};
use crate::deploy::{Deploy, Stage};
use crate::snapshot::{Builder, Built};

/// A configuration that is good, with the texts that it was read from.
pub(super) struct First {
    pub(super) config: Config,
    pub(super) recording: Recording,
    /// If it is not what is written now.
    pub(super) last: Option<Last>,
}

/// The last known good configuration, and why it is that.
pub(super) struct Last {
    since: SystemTime,
    /// What is wrong with what is written; nothing if changes are paused.
    pub(super) problems: Vec<Problem>,
}

impl First {
    /// Reads what is written, unless changes are paused.
    ///
    /// # Errors
    /// What is wrong with it, if nothing else can serve either.
    pub(super) fn read(source: &Source, overrides: &Overrides, deploy: &Deploy) -> Result<Self, StartError> {
        if deploy.is_paused()
            && let Some(first) = Self::of_last(source, overrides, deploy, Vec::new())
        {
            return Ok(first);
        }
        let files = Files::on_disk();
        match config::load_from(&files, source, overrides, &bundled::names()) {
            Ok(config) => Ok(Self { config, recording: files.taken(), last: None }),
            Err(problems) => {
                Self::of_last(source, overrides, deploy, problems.clone()).ok_or(StartError::Problems(problems))
            }
        }
    }

    /// What served last, if that is kept and is still understood.
    fn of_last(source: &Source, overrides: &Overrides, deploy: &Deploy, problems: Vec<Problem>) -> Option<Self> {
        if overrides.no_last_known_good {
            return None;
        }
        let kept = deploy.last_served().inspect_err(|error| tracing::error!(%error, "what served last cannot be read"));
        let (recording, at) = kept.ok().flatten()?;
        let config = config::load_from(&Files::recorded(recording.clone()), source, overrides, &bundled::names());
        let since = UNIX_EPOCH + Duration::from_millis(at);
        Some(Self { config: config.ok()?, recording, last: Some(Last { since, problems }) })
    }

    /// Builds it; where what is written cannot serve, what served last does.
    ///
    /// # Errors
    /// What is wrong with what is written, if nothing else can serve either.
    pub(super) fn build(
        &mut self,
        source: &Source,
        overrides: &Overrides,
        deploy: &Deploy,
        builder: &mut Builder,
    ) -> Result<Built, StartError> {
        builder.recover_policies(!overrides.no_last_known_good);
        if self.last.is_some() {
            return builder.build_last(&self.config).map_err(StartError::Problems);
        }
        let problems = match builder.build(&self.config, None) {
            Ok(built) => return Ok(built),
            Err(problems) => problems,
        };
        let last = Self::of_last(source, overrides, deploy, problems.clone());
        match last.and_then(|last| Some((builder.build_last(&last.config).ok()?, last))) {
            Some((built, last)) => {
                *self = last;
                Ok(built)
            }
            None => Err(StartError::Problems(problems)),
        }
    }
}

impl Last {
    /// Says it where nobody can miss it.
    pub(super) fn tell(&self, deploy: &Deploy) {
        self.problems.iter().for_each(|problem| tracing::error!("{problem}"));
        let since = humantime(self.since);
        if self.problems.is_empty() {
            tracing::warn!(since, "changes are paused: what served last serves again");
            return deploy.record(deploy.note(Stage::Recover).because("changes are paused"));
        }
        let problems = self.problems.len();
        tracing::error!(problems, since, "THE CONFIGURATION IS NO GOOD: the last one that was serves in its place");
        let told: Vec<_> = self.problems.iter().map(ToString::to_string).collect();
        deploy.record(deploy.note(Stage::Recover).because(told.join("\n")));
    }
}

fn humantime(moment: SystemTime) -> String {
    httpdate::fmt_http_date(moment)
}
