//! What is measured: the requests of each scenario and the answer that every peer must give.

use anyhow::bail;

/// The key that every request of the chain carries. It is known to the world, as it opens nothing.
pub(super) const KEY: &str = "bench-key-of-alice";

/// SHA-256 of [`KEY`], as the gateway's configuration wants it.
pub(super) const KEY_SHA256: &str = "acb5d01ce4556dd5562a8fa491ab140990a5b1a662995418c759a1f6eefdd6c1";

/// A kind of work that all peers are given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scenario {
    /// A plain proxy, 1 KiB.
    Plain1k,
    /// A plain proxy, 100 KiB.
    Body100k,
    /// API key, rate limit per consumer, a header each way; 1 KiB.
    Chain,
}

impl Scenario {
    /// All of them, in the order of the report.
    pub(super) const ALL: [Self; 3] = [Self::Plain1k, Self::Body100k, Self::Chain];

    /// The scenario of that name.
    pub(super) fn parse(name: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|scenario| scenario.name() == name) {
            Some(scenario) => Ok(scenario),
            None => bail!("no scenario `{name}`; there are plain-1k, body-100k and chain"),
        }
    }

    /// Its name on the command line and in the report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain1k => "plain-1k",
            Self::Body100k => "body-100k",
            Self::Chain => "chain",
        }
    }

    /// What is asked for.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Plain1k | Self::Chain => "/1k",
            Self::Body100k => "/100k",
        }
    }

    /// The length of the answer's body.
    pub(super) fn body_length(self) -> usize {
        match self {
            Self::Plain1k | Self::Chain => 1024,
            Self::Body100k => 100 * 1024,
        }
    }

    /// The fields that each request carries besides `host`.
    pub(super) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Plain1k | Self::Body100k => &[],
            Self::Chain => &[("x-api-key", KEY)],
        }
    }

    /// The gateway's goal: at most so many times nginx's CPU per request.
    pub(super) fn goal(self) -> f64 {
        match self {
            Self::Plain1k => 1.15,
            Self::Body100k => 1.25,
            Self::Chain => 1.3,
        }
    }
}
