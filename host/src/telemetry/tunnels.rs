//! What passes through connections that were upgraded.

use super::counters::Counters;
use super::metrics::Page;
use super::names;

/// Counters of all tunnels.
#[derive(Debug, Default)]
pub struct TunnelMetrics(Counters<4>);

impl TunnelMetrics {
    /// A tunnel began.
    pub fn opened(&self) {
        self.0.add(0, 1);
    }

    /// A tunnel ended.
    pub fn closed(&self) {
        self.0.add(1, 1);
    }

    /// So many bytes came from clients and went to clients.
    pub fn moved(&self, received: u64, sent: u64) {
        self.0.add(2, received);
        self.0.add(3, sent);
    }

    pub(super) fn render(&self, page: &mut Page) {
        page.family(names::TUNNELS, "counter", "connections that were upgraded to another protocol");
        page.sample(names::TUNNELS, &[], self.0.sum(0));
        page.family(names::TUNNELS_OPEN, "gauge", "upgraded connections that are open");
        page.sample(names::TUNNELS_OPEN, &[], self.0.sum(0).saturating_sub(self.0.sum(1)));
        page.family(names::TUNNEL_BYTES, "counter", "bytes through upgraded connections, by whom they came from");
        for (from, counter) in [("client", 2), ("upstream", 3)] {
            page.sample(names::TUNNEL_BYTES, &[("from", from)], self.0.sum(counter));
        }
    }
}
