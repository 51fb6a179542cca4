//! Load: wrk over HTTP/1.1 as fast as it goes, h2load over HTTP/2 or at a fixed rate. Both print or write what is read
//! here; 64 requests are open at any time.

mod h2load;
mod wrk;

use std::net::SocketAddr;

use super::scenarios::{Downstream, Scenario};
use super::tls::Certificate;
use h2load::H2load;
use wrk::Wrk;

/// Requests that are open at a time: one on each of so many connections, or with HTTP/2 several on fewer.
pub(super) const OPEN: u32 = 64;

/// The load generators, ready to be used.
pub(super) struct Load<'a> {
    wrk: Wrk,
    h2load: Option<H2load>,
    certificate: &'a Certificate,
}

/// What is asked of a load generator.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub(super) address: SocketAddr,
    pub(super) scenario: Scenario,
    pub(super) seconds: u32,
    /// Requests a second; without it, as many as there can be.
    pub(super) rate: Option<f64>,
}

impl Task {
    fn url(&self) -> String {
        format!("{}://{}{}", self.scenario.downstream().scheme(), self.address, self.scenario.path())
    }
}

/// What was seen in a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) requests: u64,
    pub(super) seconds: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) errors: Errors,
}

/// What went wrong in a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Errors {
    pub(super) sockets: u64,
    pub(super) timeouts: u64,
    pub(super) statuses: u64,
}

impl<'a> Load<'a> {
    /// Finds wrk, and h2load if it will be needed.
    pub(super) fn find(certificate: &'a Certificate, with_h2load: bool) -> anyhow::Result<Self> {
        let h2load = if with_h2load { Some(H2load::find()?) } else { None };
        Ok(Self { wrk: Wrk::find()?, h2load, certificate })
    }

    /// Whether the scenario takes h2load.
    pub(super) fn takes_h2load(scenario: Scenario) -> bool {
        scenario.downstream() == Downstream::H2
    }

    /// Loads the peer with the requests of the scenario.
    pub(super) fn run(&self, task: Task) -> anyhow::Result<Figures> {
        match &self.h2load {
            Some(h2load) if task.rate.is_some() || Self::takes_h2load(task.scenario) => h2load.run(task),
            _ => self.wrk.run(task, self.certificate),
        }
    }
}

impl Errors {
    /// What went wrong, if anything did.
    pub(super) fn describe(self) -> Option<String> {
        let Self { sockets, timeouts, statuses } = self;
        (sockets + timeouts + statuses > 0)
            .then(|| format!("{statuses} answers other than 2xx, {sockets} socket errors, {timeouts} time-outs"))
    }
}
