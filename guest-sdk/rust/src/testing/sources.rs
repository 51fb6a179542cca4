//! What the stand-in gives of clocks, random numbers and secrets: only what the test says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// 2026-01-01T00:00:00Z, in nanoseconds.
const BEGIN: u64 = 1_767_225_600_000_000_000;

#[derive(Debug)]
pub(super) struct Sources {
    /// The wall clock when no time has passed.
    begin: Cell<u64>,
    random: Cell<u64>,
    secrets: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl Default for Sources {
    fn default() -> Self {
        Self { begin: Cell::new(BEGIN), random: Cell::new(0), secrets: RefCell::default() }
    }
}

impl Sources {
    pub(super) fn wall_clock(&self, passed: u64) -> u64 {
        self.begin.get().wrapping_add(passed)
    }

    pub(super) fn set_wall_clock(&self, now: u64, passed: u64) {
        self.begin.set(now.wrapping_sub(passed));
    }

    pub(super) fn seed(&self, seed: u64) {
        self.random.set(seed);
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    pub(super) fn random_number(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn set_secret(&self, name: &str, value: &[u8]) {
        self.secrets.borrow_mut().insert(name.to_owned(), value.to_vec());
    }

    pub(super) fn secret(&self, name: &str) -> Option<Vec<u8>> {
        self.secrets.borrow().get(name).cloned()
    }
}
