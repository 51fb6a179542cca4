//! What people, or the gateway itself, have said about which version of a policy serves. It outlives restarts.

use super::state::{Rejection, State};
use super::{Deploy, Stage, Version};

/// Why another version than the one that is written serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is pinned.
    Pinned(Version),
    /// Changes of the policy are not taken.
    Paused(Version),
    /// What is written was rolled back: the first is not tried again, the second serves.
    RolledBack(Version, Version, String),
}

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// That version of the policy, by default the one before, serves again, and the one that serves now is not tried again until
    /// it is another one.
    RollBack {
        /// The policy.
        policy: String,
        /// The version.
        version: Option<Version>,
    },
    /// That version, by default the one that serves, serves whatever files say.
    Pin {
        /// The policy.
        policy: String,
        /// The version.
        version: Option<Version>,
    },
    /// What files say counts again.
    Unpin {
        /// The policy.
        policy: String,
    },
    /// No change of the policy is taken, or none at all.
    Pause {
        /// The policy.
        policy: Option<String>,
    },
    /// Changes are taken again.
    Resume {
        /// The policy.
        policy: Option<String>,
    },
    /// The version on trial has proved well.
    Promote {
        /// The policy.
        policy: String,
    },
    /// It has not: the one before it serves.
    Abort {
        /// The policy.
        policy: String,
    },
}

impl Operation {
    /// As the history names it.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::RollBack { .. } | Self::Abort { .. } => Stage::RollBack,
            Self::Promote { .. } => Stage::Promote,
            Self::Pin { .. } => Stage::Pin,
            Self::Unpin { .. } => Stage::Unpin,
            Self::Pause { .. } => Stage::Pause,
            Self::Resume { .. } => Stage::Resume,
        }
    }

    /// The policy, unless it is about all.
    #[must_use]
    pub fn policy(&self) -> Option<&str> {
        match self {
            Self::RollBack { policy, .. } | Self::Pin { policy, .. } | Self::Unpin { policy } => Some(policy),
            Self::Promote { policy } | Self::Abort { policy } => Some(policy),
            Self::Pause { policy } | Self::Resume { policy } => policy.as_deref(),
        }
    }
}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// There is no such policy, or it does not serve.
    #[error("no policy {0:?} serves")]
    UnknownPolicy(String),
    /// There is no such version.
    #[error("version {version} of {policy:?} is not kept; kept are {kept}")]
    UnknownVersion {
        /// The policy.
        policy: String,
        /// What was asked for.
        version: Version,
        /// What there is.
        kept: String,
    },
    /// There is none before.
    #[error("no version of {0:?} before the one that serves is kept")]
    NothingBefore(String),
    /// It serves already.
    #[error("version {version} of {policy:?} serves already")]
    Serves {
        /// The policy.
        policy: String,
        /// The version.
        version: Version,
    },
    /// It would change nothing, as something else holds the policy.
    #[error("{policy:?} is {how}; {remedy} first")]
    Held {
        /// The policy.
        policy: String,
        /// How it is held.
        how: &'static str,
        /// What ends that.
        remedy: &'static str,
    },
    /// It is as wanted already.
    #[error("{what} is not {how}")]
    Not {
        /// What.
        what: String,
        /// How.
        how: &'static str,
    },
}

/// What held policies before an operation, so that one that comes to nothing leaves nothing behind.
#[derive(Debug)]
pub struct Before(State);

impl Deploy {
    /// What holds a policy, if anything does.
    #[must_use]
    pub fn held(&self, policy: &str) -> Option<Held> {
        let state = self.state();
        let pinned = state.pins.get(policy).map(|version| Held::Pinned(*version));
        let paused = || state.paused.get(policy).map(|version| Held::Paused(*version));
        let rolled_back = || {
            let Rejection { version, serve, reason } = state.rejected.get(policy)?.clone();
            Some(Held::RolledBack(version, serve, reason))
        };
        pinned.or_else(paused).or_else(rolled_back)
    }

    /// Whether no change at all is taken.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.state().all_paused
    }

    /// The policy is another one than the version that was rolled back: that counts no longer.
    pub fn forgive(&self, policy: &str) {
        self.state().rejected.remove(policy);
    }

    /// A version is not tried again until the policy is another one; what serves in its place is that.
    pub fn reject(&self, policy: &str, version: Version, serve: Version, reason: &str) {
        let rejection = Rejection { version, serve, reason: reason.to_owned() };
        let mut state = self.state();
        state.rejected.insert(policy.to_owned(), rejection);
        self.save(&state);
    }

    /// Notes what somebody wants; it counts from the next snapshot on. Gives the version that is to serve then, if that is said
    /// by it, and what to go back to if nothing comes of it.
    ///
    /// # Errors
    /// If it cannot be.
    pub fn operate(&self, operation: &Operation, by: &str) -> Result<(Option<Version>, Before), HoldError> {
        let mut state = self.state();
        let before = Before(state.clone());
        let version = apply(&mut state, operation, by)?;
        Ok((version, before))
    }

    /// Nothing has come of an operation.
    pub fn undo(&self, before: Before) {
        *self.state() = before.0;
    }

    /// Writes down what holds policies.
    pub fn save_holds(&self) {
        self.save(&self.state());
    }

    fn save(&self, state: &State) {
        let Some(shelf) = &self.shelf else { return };
        if let Err(error) = state.write(shelf.home.path()) {
            let folder = shelf.home.path().display();
            tracing::error!(%folder, %error, "what was said about policies cannot be written down: a restart forgets it");
        }
    }
}

fn apply(state: &mut State, operation: &Operation, by: &str) -> Result<Option<Version>, HoldError> {
    match operation {
        Operation::RollBack { policy, version } => roll_back(state, policy, *version, by).map(Some),
        Operation::Abort { policy } => {
            on_trial(state, policy)?;
            let proven = state.proven.get(policy).copied();
            roll_back(state, policy, proven, by).map(Some)
        }
        Operation::Promote { policy } => {
            let version = on_trial(state, policy)?;
            state.proven.insert(policy.clone(), version);
            Ok(Some(version))
        }
        Operation::Pin { policy, version } => {
            let serving = serving(state, policy)?;
            let version = known(state, policy, version.unwrap_or(serving))?;
            state.pins.insert(policy.clone(), version);
            Ok(Some(version))
        }
        Operation::Unpin { policy } => {
            let not = || HoldError::Not { what: format!("{policy:?}"), how: "pinned" };
            state.pins.remove(policy).map(|_| None).ok_or_else(not)
        }
        Operation::Pause { policy: Some(policy) } => {
            let serving = serving(state, policy)?;
            state.paused.insert(policy.clone(), serving);
            Ok(Some(serving))
        }
        Operation::Resume { policy: Some(policy) } => {
            let not = || HoldError::Not { what: format!("{policy:?}"), how: "paused" };
            state.paused.remove(policy).map(|_| None).ok_or_else(not)
        }
        Operation::Pause { policy: None } => {
            state.all_paused = true;
            Ok(None)
        }
        Operation::Resume { policy: None } if state.all_paused => {
            state.all_paused = false;
            Ok(None)
        }
        Operation::Resume { policy: None } => Err(HoldError::Not { what: "the gateway".to_owned(), how: "paused" }),
    }
}

fn roll_back(state: &mut State, policy: &str, version: Option<Version>, by: &str) -> Result<Version, HoldError> {
    let serving = serving(state, policy)?;
    let held = |how, remedy| HoldError::Held { policy: policy.to_owned(), how, remedy };
    if state.pins.contains_key(policy) {
        return Err(held("pinned", "unpin it"));
    }
    if state.paused.contains_key(policy) {
        return Err(held("paused", "resume it"));
    }
    let nothing = || HoldError::NothingBefore(policy.to_owned());
    let trial = state.trials.get(policy).copied();
    let before = match trial {
        // A canary serves beside the version that is meant.
        Some(trial) if trial != serving => state.proven.get(policy).copied(),
        _ => state.before(policy),
    };
    let version = known(state, policy, version.or(before).ok_or_else(nothing)?)?;
    if version == serving && trial.is_none_or(|trial| trial == serving) {
        return Err(HoldError::Serves { policy: policy.to_owned(), version });
    }
    // What is written is what was rolled back first, or what is on trial.
    let written = state.rejected.get(policy).map_or(trial.unwrap_or(serving), |rejection| rejection.version);
    let reason = format!("rolled back by {by}");
    state.rejected.insert(policy.to_owned(), Rejection { version: written, serve: version, reason });
    Ok(version)
}

fn on_trial(state: &State, policy: &str) -> Result<Version, HoldError> {
    serving(state, policy)?;
    let not = || HoldError::Not { what: format!("{policy:?}"), how: "on trial" };
    state.trials.get(policy).copied().ok_or_else(not)
}

fn serving(state: &State, policy: &str) -> Result<Version, HoldError> {
    state.serving(policy).ok_or_else(|| HoldError::UnknownPolicy(policy.to_owned()))
}

fn known(state: &State, policy: &str, version: Version) -> Result<Version, HoldError> {
    let kept = state.versions.get(policy).into_iter().flatten();
    match kept.clone().any(|kept| kept.version == version) {
        true => Ok(version),
        false => {
            let kept: Vec<_> = kept.map(|kept| kept.version.to_string()).collect();
            Err(HoldError::UnknownVersion { policy: policy.to_owned(), version, kept: kept.join(", ") })
        }
    }
}
