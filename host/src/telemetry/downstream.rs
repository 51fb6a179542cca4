//! Counters of what goes wrong on downstream connections before there is a request, or beside it.

use super::counters::Counters;
use super::metrics::Page;
use super::names;

/// Counters of downstream connections.
#[derive(Debug, Default)]
pub struct DownstreamMetrics(Counters<3>);

impl DownstreamMetrics {
    /// A TLS handshake failed.
    pub fn handshake_failed(&self) {
        self.0.add(0, 1);
    }

    /// A connection did not begin with a PROXY protocol header from somebody who is trusted.
    pub fn proxy_header_failed(&self) {
        self.0.add(1, 1);
    }

    /// An HTTP/2 connection was cut for what it sent beside requests.
    pub fn flooded(&self) {
        self.0.add(2, 1);
    }

    pub(super) fn render(&self, page: &mut Page) {
        let families = [
            (names::TLS_FAILURES, "TLS handshakes that failed"),
            (names::PROXY_PROTOCOL_ERRORS, "connections without a good PROXY protocol header where one is required"),
            (names::HTTP2_FLOODS, "HTTP/2 connections cut for resets or control frames beyond reason"),
        ];
        for (counter, (name, help)) in families.into_iter().enumerate() {
            page.family(name, "counter", help);
            page.sample(name, &[], self.0.sum(counter));
        }
    }
}
