//! Which endpoint a request goes to.

use std::cell::Cell;

/// Round robin over the endpoints of one upstream, on one worker.
#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    next: Cell<usize>,
}

impl RoundRobin {
    /// Every endpoint once, beginning with the one whose turn it is.
    pub(super) fn order(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let first = self.next.get();
        self.next.set((first + 1) % count.max(1));
        (0..count).map(move |step| (first + step) % count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_go_round_and_each_order_has_all() {
        let turns = RoundRobin::default();
        let orders: Vec<Vec<_>> = (0..4).map(|_| turns.order(3).collect()).collect();
        assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
    }
}
