//! What is in the stores of a case, before an exchange and after it.

use std::sync::Arc;

use super::report::Failure;
use crate::chain::Policy;
use crate::config::cases::{Entry, Seed, SpaceOf};
use crate::store::{Moment, Space, StoreError};

/// Puts there what the case says. What cannot be put there is a failure of the case.
pub(super) fn put(policies: &[Arc<Policy>], seeds: &[Seed]) -> Vec<Failure> {
    let failure = |seed: &Seed| {
        let space = find(policies, &seed.space)?;
        let error = put_one(space.now(), seed).err()?;
        Some(Failure::new(&seed.at.0, seed.at.1, "something that can be stored", &error.to_string()))
    };
    seeds.iter().filter_map(failure).collect()
}

fn put_one(space: Moment<'_>, seed: &Seed) -> Result<(), StoreError> {
    let key = seed.key.as_bytes();
    let millis = |time: &std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match &seed.entry {
        Entry::Removed => space.delete(key).map(|_| ()),
        Entry::Value(value, ttl) => space.set(key, value, millis(ttl)),
        Entry::Lease(ttl) => space.acquire(key, millis(ttl)).map(|_| ()),
    }
}

/// What is there now.
pub(super) fn value(policies: &[Arc<Policy>], space: &SpaceOf, key: &str) -> Option<Vec<u8>> {
    find(policies, space)?.now().peek(key.as_bytes()).0
}

fn find<'a>(policies: &'a [Arc<Policy>], of: &SpaceOf) -> Option<&'a Space> {
    let spaces = &policies.get(of.policy)?.filter.settings.spaces;
    spaces.place(&of.name, false).ok().map(|(space, _)| space.as_ref())
}
