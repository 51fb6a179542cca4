//! One line of the history: what became of one stage of one change.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Version;
use crate::sandbox::Digest;

/// What happens to a change on its way, in that order, and what people do to policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nobody is writing any more, and nothing else changes for a moment.
    Settle,
    /// The configuration is read and checked.
    Read,
    /// The module is fetched from a registry, or is here already.
    Fetch,
    /// The module is read, is the one that it should be, and is signed as it should be.
    Verify,
    /// Its code is compiled, or taken from the store.
    Compile,
    /// What it imports is what it is granted.
    TypeCheck,
    /// It takes in its configuration, once for each worker.
    Configure,
    /// The cases that came with it are run.
    SelfTest,
    /// Some exchanges get it, or are shown to it.
    Trial,
    /// All exchanges get it.
    Promote,
    /// The version before it serves again.
    RollBack,
    /// What served before goes on to serve.
    Reject,
    /// What served before the program was started last serves again.
    Recover,
    /// A version was pinned.
    Pin,
    /// What files say counts again.
    Unpin,
    /// No change is taken.
    Pause,
    /// Changes are taken again.
    Resume,
}

impl Stage {
    /// As the history names it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Settle => "settle",
            Self::Read => "read",
            Self::Fetch => "fetch",
            Self::Verify => "verify",
            Self::Compile => "compile",
            Self::TypeCheck => "type-check",
            Self::Configure => "configure",
            Self::SelfTest => "self-test",
            Self::Trial => "trial",
            Self::Promote => "promote",
            Self::RollBack => "roll-back",
            Self::Reject => "reject",
            Self::Recover => "recover",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    /// Whether it changes, or leaves unchanged, what serves: those are worth a line of the log each.
    fn is_decision(self) -> bool {
        !matches!(
            self,
            Self::Settle
                | Self::Read
                | Self::Fetch
                | Self::Verify
                | Self::Compile
                | Self::TypeCheck
                | Self::Configure
                | Self::SelfTest
        )
    }
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should.
    Done,
    /// With a reason why not.
    Failed,
}

/// What became of one stage of one change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When the stage ended, in milliseconds since 1970.
    pub at: u64,
    /// The number of the change, which counts on over restarts.
    pub change: u64,
    /// The policy, unless it is about the configuration as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The digest of its module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The stage.
    pub stage: Stage,
    /// How it ended.
    pub outcome: Verdict,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// Why, or what else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who wanted it: [`Record::FILE`], [`Record::GATEWAY`], or an operator.
    pub by: String,
    /// From where, if it was a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

impl Record {
    /// A file was changed.
    pub const FILE: &'static str = "file";
    /// The gateway did it by itself.
    pub const GATEWAY: &'static str = "gateway";
    /// A tag in a registry means something else.
    pub const REGISTRY: &'static str = "registry";

    /// A stage that has ended just now as it should, in no time, for a file's sake.
    #[must_use]
    pub fn new(change: u64, stage: Stage) -> Self {
        Self {
            at: now(),
            change,
            policy: None,
            version: None,
            module: None,
            stage,
            outcome: Verdict::Done,
            ms: 0.0,
            reason: None,
            by: Self::FILE.to_owned(),
            from: None,
        }
    }

    /// Of a policy in that version.
    #[must_use]
    pub fn of(mut self, policy: &str, version: Option<Version>, module: Option<Digest>) -> Self {
        self.policy = Some(policy.to_owned());
        self.version = version;
        self.module = module.map(|digest| digest.to_string());
        self
    }

    /// It took that long.
    #[must_use]
    pub fn took(mut self, elapsed: Duration) -> Self {
        self.ms = (elapsed.as_secs_f64() * 1_000_000.0).round() / 1_000.0;
        self
    }

    /// It did not end as it should.
    #[must_use]
    pub fn failed(mut self, reason: impl Into<String>) -> Self {
        self.outcome = Verdict::Failed;
        self.reason = Some(reason.into());
        self
    }

    /// There is something to say about it.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Somebody else wanted it.
    #[must_use]
    pub fn by(mut self, who: &str, from: Option<&str>) -> Self {
        self.by = who.to_owned();
        self.from = from.map(ToOwned::to_owned);
        self
    }

    pub(super) fn log(&self) {
        let Self { change, policy, version, stage, ms, reason, by, from, .. } = self;
        let (policy, reason, from) = (policy.as_deref(), reason.as_deref(), from.as_deref());
        let (version, stage) = (version.map(|version| version.to_string()), stage.label());
        let version = version.as_deref();
        match self.outcome {
            Verdict::Failed => tracing::warn!(change, policy, version, stage, ms, reason, by, from, "stage failed"),
            Verdict::Done if self.stage.is_decision() => {
                tracing::info!(change, policy, version, stage, ms, reason, by, from, "stage done");
            }
            Verdict::Done => tracing::debug!(change, policy, version, stage, ms, reason, by, from, "stage done"),
        }
    }
}

pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
