//! Whose turn it is, and a little chance. Of one worker.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Round robin over endpoints of the same weight.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Turns(Cell<usize>);

impl Turns {
    /// Begins with another endpoint than other workers do.
    pub(in crate::upstream) fn beginning_at(first: usize) -> Self {
        Self(Cell::new(first))
    }

    /// The first that may, beginning with the one whose turn it is.
    pub(super) fn next(&self, count: usize, may: impl Fn(usize) -> bool) -> Option<usize> {
        let first = if self.0.get() < count { self.0.get() } else { 0 };
        let found = (first..count).chain(0..first).find(|index| may(*index))?;
        self.0.set(if found + 1 == count { 0 } else { found + 1 });
        Some(found)
    }
}

/// Smooth weighted round robin: each gains its weight, the richest pays all of them. An endpoint of weight 2 is not chosen
/// twice in a row where another can come between.
pub(super) fn smooth<'a>(
    purses: impl Iterator<Item = (&'a Cell<i64>, u32)>,
    may: impl Fn(usize) -> bool,
) -> Option<usize> {
    let (mut total, mut richest) = (0, None::<(usize, &Cell<i64>)>);
    for (index, (purse, weight)) in purses.enumerate().filter(|(index, _)| may(*index)) {
        total += i64::from(weight);
        purse.set(purse.get() + i64::from(weight));
        if richest.is_none_or(|(_, richest)| purse.get() > richest.get()) {
            richest = Some((index, purse));
        }
    }
    let (index, purse) = richest?;
    purse.set(purse.get() - total);
    Some(index)
}

/// Cheap random numbers (xorshift64*), for choices only.
#[derive(Debug)]
pub(in crate::upstream) struct Dice(Cell<u64>);

impl Default for Dice {
    fn default() -> Self {
        Self(Cell::new(RandomState::new().build_hasher().finish() | 1))
    }
}

impl Dice {
    /// A number below `bound`, which is not 0.
    pub(in crate::upstream) fn below(&self, bound: usize) -> usize {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        let spread = u128::from(state.wrapping_mul(0x2545_f491_4f6c_dd1d)) * bound as u128;
        usize::try_from(spread >> 64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(weights: &[u32], count: usize) -> Vec<usize> {
        let purses: Vec<Cell<i64>> = weights.iter().map(|_| Cell::new(0)).collect();
        let purses = || purses.iter().zip(weights.iter().copied());
        (0..count).filter_map(|_| smooth(purses(), |_| true)).collect()
    }

    #[test]
    fn turns_go_round_and_pass_over_who_may_not() {
        let turns = Turns::default();
        let next = |may: &dyn Fn(usize) -> bool| turns.next(3, may).unwrap();
        assert_eq!([next(&|_| true), next(&|_| true), next(&|_| true), next(&|_| true)], [0, 1, 2, 0]);
        assert_eq!([next(&|index| index != 1), next(&|index| index != 1)], [2, 0]);
        assert_eq!(turns.next(3, |_| false), None);
        assert_eq!(turns.next(1, |_| true), Some(0), "also after there were more");
    }

    #[test]
    fn weights_are_kept_and_spread() {
        assert_eq!(order(&[5, 1, 1], 7), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(order(&[1, 1, 1], 6), [0, 1, 2, 0, 1, 2]);
        let long = order(&[3, 2, 1], 600);
        assert_eq!([0, 1, 2].map(|which| long.iter().filter(|index| **index == which).count()), [300, 200, 100]);
        assert!(order(&[], 1).is_empty());
    }

    #[test]
    fn dice_are_fair_enough() {
        let dice = Dice::default();
        let mut counts = [0; 4];
        (0..40_000).for_each(|_| counts[dice.below(4)] += 1);
        assert!(counts.iter().all(|count| (9_000..11_000).contains(count)), "{counts:?}");
    }
}
