//! The facts that a filter subscribed to, packed for one call.

use crate::message::{Exchange, Fact, Message};

/// An absent fact in `facts.ends`.
const ABSENT: u32 = u32::MAX;

/// How many facts a hook can ask for.
pub(super) const MAX_FACTS: usize = 64;

/// What one hook wants to see, parsed once.
#[derive(Clone, Debug, Default)]
pub(super) struct FactPlan {
    pub(super) facts: Vec<Fact>,
}

impl FactPlan {
    pub(super) fn parse(names: &[String], message: Message) -> Result<Self, String> {
        if names.len() > MAX_FACTS {
            return Err(format!("subscribes to {} facts, but {MAX_FACTS} is the most", names.len()));
        }
        let facts = names.iter().map(|name| Fact::parse(name, message).map_err(|error| error.to_string()));
        Ok(Self { facts: facts.collect::<Result<_, _>>()? })
    }
}

/// Buffers that are used again for every call.
#[derive(Debug, Default)]
pub(super) struct Packed {
    pub(super) data: Vec<u8>,
    pub(super) ends: Vec<u32>,
}

impl Packed {
    /// Reads the planned facts from the exchange.
    pub(super) fn pack(&mut self, plan: &FactPlan, exchange: &Exchange, message: Message) {
        self.data.clear();
        self.ends.clear();
        for fact in &plan.facts {
            let present = fact.write(exchange, message, &mut self.data);
            // Heads are bounded far below 4 GiB by the listener.
            let end = u32::try_from(self.data.len()).unwrap_or(ABSENT);
            self.ends.push(if present { end } else { ABSENT });
        }
    }
}
