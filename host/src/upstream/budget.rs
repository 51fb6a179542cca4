//! How many requests may be sent again: a share of all, so that retries never make an overload worse.

use std::cell::Cell;

use crate::config::Share;

/// What a retry costs.
const PRICE: u32 = 1_000;
/// Saved up for quiet times: ten retries, however few requests there were.
const MOST: u32 = 10 * PRICE;

/// A purse that each request pays into and each retry is paid from. Of one upstream on one worker.
#[derive(Debug)]
pub(super) struct Budget(Cell<u32>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MOST))
    }
}

impl Budget {
    /// A request was sent.
    pub(super) fn deposit(&self, share: Share) {
        self.0.set((self.0.get() + share.thousandths()).min(MOST));
    }

    /// Pays for a retry, if there is enough.
    pub(super) fn pay(&self) -> bool {
        let left = self.0.get().checked_sub(PRICE);
        self.0.set(left.unwrap_or(self.0.get()));
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_share_of_requests_once_the_savings_are_gone() {
        let budget = Budget::default();
        let retries = |requests: usize| {
            let retry = |_| {
                budget.deposit(Share::per_mille(200));
                budget.pay()
            };
            (0..requests).map(retry).filter(|paid| *paid).count()
        };
        assert_eq!(retries(12), 12, "savings and a little");
        assert_eq!(retries(1_000), 200, "a fifth from now on");
    }

    #[test]
    fn savings_are_bounded() {
        let budget = Budget::default();
        (0..1_000).for_each(|_| budget.deposit(Share::per_mille(1_000)));
        assert_eq!((0..20).filter(|_| budget.pay()).count(), 10);
    }
}
