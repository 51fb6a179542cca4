//! Consistent hashing by lookup table (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer",
//! NSDI 2016, section 3.4): one load to look up, even shares, and few keys move when endpoints come or go.

use super::key::hash;

/// A prime, a hundred times as many as there are endpoints usually.
const SLOTS: usize = 65_537;

/// Which endpoint each slot belongs to.
#[derive(Debug)]
pub(in crate::upstream) struct Maglev(Box<[u16]>);

/// How an endpoint walks over the slots in search of a free one.
struct Walk {
    next: usize,
    skip: usize,
    weight: u64,
    turns: u64,
}

impl Maglev {
    /// The table of these names with their weights; none without names.
    pub(in crate::upstream) fn new(names: &[(String, u32)]) -> Option<Self> {
        let most = names.iter().map(|(_, weight)| u64::from(*weight)).max().filter(|most| *most > 0)?;
        let mut walks: Vec<_> = names.iter().map(|(name, weight)| Walk::new(name, *weight)).collect();
        let mut slots = vec![u16::MAX; SLOTS].into_boxed_slice();
        let mut free = SLOTS;
        loop {
            for (index, walk) in walks.iter_mut().enumerate() {
                // The heaviest takes a slot in each round, the others as many times less as they weigh less.
                walk.turns += walk.weight;
                if walk.turns < most {
                    continue;
                }
                walk.turns -= most;
                walk.take(&mut slots, u16::try_from(index).unwrap_or(u16::MAX - 1));
                free -= 1;
                if free == 0 {
                    return Some(Self(slots));
                }
            }
        }
    }

    /// The endpoints of a key, the one it belongs to first, those that it would move to behind it.
    pub(in crate::upstream) fn of(&self, key: u64) -> impl Iterator<Item = usize> {
        #[allow(clippy::cast_possible_truncation, reason = "less than the number of slots")]
        let first = (key % SLOTS as u64) as usize;
        self.0[first..].iter().chain(&self.0[..first]).map(|index| usize::from(*index))
    }
}

impl Walk {
    #[allow(clippy::cast_possible_truncation, reason = "less than the number of slots")]
    fn new(name: &str, weight: u32) -> Self {
        let (offset, skip) = (hash(name.as_bytes(), 1), hash(name.as_bytes(), 2));
        Self {
            next: (offset % SLOTS as u64) as usize,
            skip: (skip % (SLOTS as u64 - 1)) as usize + 1,
            weight: u64::from(weight),
            turns: 0,
        }
    }

    fn take(&mut self, slots: &mut [u16], index: u16) {
        while slots[self.next] != u16::MAX {
            self.next = (self.next + self.skip) % SLOTS;
        }
        slots[self.next] = index;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<(String, u32)> {
        (0..count).map(|index| (format!("10.0.0.{index}:80"), 1)).collect()
    }

    fn share(table: &Maglev, index: u16) -> usize {
        table.0.iter().filter(|owner| **owner == index).count() * 1_000 / SLOTS
    }

    #[test]
    fn shares_are_even_or_by_weight() {
        let table = Maglev::new(&names(10)).unwrap();
        assert!((0..10).all(|index| (99..=101).contains(&share(&table, index))));
        let mut weighted = names(3);
        weighted[0].1 = 2;
        let table = Maglev::new(&weighted).unwrap();
        assert!((499..=501).contains(&share(&table, 0)), "{}", share(&table, 0));
        assert!(Maglev::new(&[]).is_none());
    }

    #[test]
    fn few_keys_move_when_an_endpoint_goes() {
        let (ten, nine) = (Maglev::new(&names(10)).unwrap(), Maglev::new(&names(9)).unwrap());
        let stayed = ten.0.iter().filter(|owner| **owner != 9).count();
        let moved = ten.0.iter().zip(&nine.0).filter(|(before, after)| **before != 9 && before != after).count();
        assert!(moved * 100 / stayed < 5, "{moved} of {stayed} moved without need");
    }

    #[test]
    fn a_key_has_a_first_choice_and_others() {
        let table = Maglev::new(&names(3)).unwrap();
        let mut seen: Vec<usize> = Vec::new();
        for index in table.of(12_345) {
            if !seen.contains(&index) {
                seen.push(index);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
    }
}
