//! What was not let in, and why.

use super::counters::Counters;
use super::metrics::Page;
use super::names;

/// Why a connection was closed or a request answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A connection: there are as many as there may be.
    Connections,
    /// A connection: its address has as many as it may have.
    ConnectionsPerAddress,
    /// A connection: memory is short.
    ConnectionMemory,
    /// A connection: the process has no descriptor left.
    ConnectionDescriptors,
    /// A request: as many are under way as may be.
    Requests,
    /// A request: memory is short.
    RequestMemory,
    /// A request: there is no descriptor for a connection to its upstream.
    RequestDescriptors,
}

const OF_CONNECTIONS: [(Refusal, &str); 4] = [
    (Refusal::Connections, "connections"),
    (Refusal::ConnectionsPerAddress, "connections-per-address"),
    (Refusal::ConnectionMemory, "memory"),
    (Refusal::ConnectionDescriptors, "descriptors"),
];
const OF_REQUESTS: [(Refusal, &str); 3] =
    [(Refusal::Requests, "requests"), (Refusal::RequestMemory, "memory"), (Refusal::RequestDescriptors, "descriptors")];

impl Refusal {
    /// The reason, as metrics and the log name it.
    #[must_use]
    pub fn label(self) -> &'static str {
        let of_all = OF_CONNECTIONS.iter().chain(&OF_REQUESTS);
        of_all.into_iter().find(|(refusal, _)| *refusal == self).map_or("", |(_, label)| label)
    }
}

#[derive(Debug, Default)]
pub(super) struct Refusals(Counters<7>);

impl Refusals {
    pub(super) fn count(&self, refusal: Refusal) {
        self.0.add(refusal as usize, 1);
    }

    pub(super) fn render(&self, page: &mut Page) {
        page.family(names::REFUSED_CONNECTIONS, "counter", "connections closed at once, by reason");
        for (refusal, reason) in OF_CONNECTIONS {
            page.sample(names::REFUSED_CONNECTIONS, &[("reason", reason)], self.0.sum(refusal as usize));
        }
        page.family(names::REFUSED_REQUESTS, "counter", "requests answered with 503 to protect the gateway, by reason");
        for (refusal, reason) in OF_REQUESTS {
            page.sample(names::REFUSED_REQUESTS, &[("reason", reason)], self.0.sum(refusal as usize));
        }
    }
}
