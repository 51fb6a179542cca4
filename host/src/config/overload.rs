//! How much may be open at once (`[limits]`).

use super::section::{Item, Section};

/// Bounds on the gateway as a whole. What is not said is derived from what the process may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overload {
    /// `connections`: client connections; by default what the process's descriptors allow.
    pub connections: Option<usize>,
    /// `connections-per-address`: client connections of one address; by default no bound of its own.
    pub connections_per_address: Option<usize>,
    /// `requests`: requests under way; by default as many as connections.
    pub requests: Option<usize>,
    /// `memory`: bytes in use, beyond which nothing new is let in; by default what the control group allows.
    pub memory: Option<u64>,
}

impl Overload {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut count = |key| section.take(key).and_then(|item: Item<'_>| item.count(1, 10_000_000));
        Self {
            connections: count("connections"),
            connections_per_address: count("connections-per-address"),
            requests: count("requests"),
            memory: section.take("memory").and_then(|item| item.size(1 << 20, 1 << 40)),
        }
    }
}
