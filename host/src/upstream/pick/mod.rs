//! Which endpoint a request goes to. The state is the worker's own; whom it may go to is in its [`LocalSet`].

mod key;
mod maglev;
mod sticky;
mod turns;

use http::HeaderMap;
use smallvec::SmallVec;

pub use self::key::cookie;
pub(super) use self::maglev::Maglev;
pub(super) use self::sticky::{name as sticky_name, set_cookie};
pub(super) use self::turns::{Dice, Turns};
use super::local::LocalSet;
use crate::config::{Balance, UpstreamOptions};
use crate::message::ClientInfo;

/// One connection in so many is left to others.
const GENEROSITY: usize = 8;

/// What speaks for an endpoint in a request itself.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// The endpoint that the client's cookie names.
    pub(super) sticky: Option<usize>,
    key: Option<u64>,
}

/// The endpoints that a request has been sent to.
pub(super) type Tried = SmallVec<[usize; 4]>;

/// How this worker chooses among the endpoints of an upstream.
#[derive(Debug, Default)]
pub(super) struct Picker {
    turns: Turns,
    dice: Dice,
}

impl Wish {
    /// Nothing, unless the upstream looks at requests.
    pub(super) fn of(options: &UpstreamOptions, set: &LocalSet, fields: &HeaderMap, client: &ClientInfo) -> Self {
        let cookie = options.sticky.as_ref().and_then(|sticky| key::cookie(fields, &sticky.cookie));
        let sticky = cookie.and_then(|value| set.by_sticky_name(value));
        let key = match &options.balance {
            Balance::Hash(key) => key::of(key, fields, client),
            Balance::RoundRobin | Balance::LeastRequests => None,
        };
        Self { sticky, key }
    }
}

impl Picker {
    /// Begins with another endpoint than other workers do.
    pub(super) fn of_worker(lane: usize) -> Self {
        Self { turns: Turns::beginning_at(lane), dice: Dice::default() }
    }

    /// Whether a connection should be left to requests of other workers or to other endpoints, though one waits for it here.
    /// Now and then, as it has to be closed for that; else they would wait for as long as this worker is busy.
    pub(super) fn is_generous(&self) -> bool {
        self.dice.below(GENEROSITY) == 0
    }

    /// The index of an endpoint that has not been tried.
    pub(super) fn pick(&self, balance: &Balance, set: &LocalSet, wish: &Wish, tried: &Tried) -> Option<usize> {
        let count = set.usable.len();
        let may = |index: usize| !tried.contains(&index);
        if let Some(index) = wish.sticky.filter(|index| may(*index)) {
            return Some(index);
        }
        match (balance, wish.key, &set.shared.maglev) {
            // Tried ones are skipped, so at worst the whole table is walked over, which only a retry does.
            (Balance::Hash(_), Some(key), Some(table)) if tried.len() < count => {
                table.of(key).find(|index| may(*index) && *index < count)
            }
            (Balance::LeastRequests, ..) => self.least(set, may),
            _ => self.turn(set, may),
        }
    }

    fn turn(&self, set: &LocalSet, may: impl Fn(usize) -> bool) -> Option<usize> {
        match set.is_even {
            true => self.turns.next(set.usable.len(), may),
            false => turns::smooth(set.usable.iter().map(|(local, weight)| (&local.purse, *weight)), may),
        }
    }

    /// The less busy of two at random, by weight (Mitzenmacher, "The Power of Two Choices", 2001).
    fn least(&self, set: &LocalSet, may: impl Fn(usize) -> bool) -> Option<usize> {
        let count = set.usable.len();
        if count < 2 {
            return (count == 1 && may(0)).then_some(0);
        }
        let one = self.dice.below(count);
        let other = (one + 1 + self.dice.below(count - 1)) % count;
        match (may(one), may(other)) {
            (true, true) => Some(if set.load(other).is_less_than(set.load(one)) { other } else { one }),
            (true, false) => Some(one),
            (false, true) => Some(other),
            (false, false) => self.turns.next(count, may),
        }
    }
}

/// How busy an endpoint is for its weight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) requests: u32,
    pub(super) weight: u32,
}

impl Load {
    fn is_less_than(self, other: Self) -> bool {
        let busy = |load: Self, weight: u32| (u64::from(load.requests) + 1) * u64::from(weight);
        busy(self, other.weight) < busy(other, self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heavier_endpoint_may_be_busier() {
        let load = |requests, weight| Load { requests, weight };
        assert!(load(2, 1).is_less_than(load(3, 1)));
        assert!(load(3, 2).is_less_than(load(2, 1)));
        assert!(!load(1, 1).is_less_than(load(1, 1)));
    }
}
