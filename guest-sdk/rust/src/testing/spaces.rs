//! The stand-in's store, on a clock that only the test moves.

use std::collections::BTreeMap;

use crate::bindings::tollgate::filter::store::Error;

const MAX_KEY: usize = 1024;
const MAX_VALUE: usize = 64 << 10;

type Outcome<T> = Result<T, Error>;

#[derive(Debug, Default)]
pub(super) struct Spaces {
    /// Nanoseconds, as of the limiter's clock.
    now: u128,
    /// The shared spaces, and whether they may be changed.
    granted: BTreeMap<String, bool>,
    values: BTreeMap<(String, Vec<u8>), Until<Vec<u8>>>,
    leases: BTreeMap<(String, Vec<u8>), Until<u64>>,
    last_token: u64,
    /// What every call comes to, if the test says so.
    pub(super) failure: Option<Error>,
}

#[derive(Debug)]
struct Until<T> {
    content: T,
    end: Option<u128>,
}

impl Spaces {
    pub(super) fn advance(&mut self, nanoseconds: u128) {
        self.now += nanoseconds;
        let now = self.now;
        self.values.retain(|_, value| value.end.is_none_or(|end| end > now));
        self.leases.retain(|_, lease| lease.end.is_none_or(|end| end > now));
    }

    pub(super) fn grant(&mut self, space: &str, writable: bool) {
        self.granted.insert(space.to_owned(), writable);
    }

    /// What the test sees, whoever may.
    pub(super) fn peek(&self, space: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.value(space, key).cloned()
    }

    pub(super) fn put_for_good(&mut self, space: &str, key: &[u8], value: &[u8]) {
        self.values.insert(place(space, key), Until { content: value.to_vec(), end: None });
    }

    pub(super) fn get(&self, space: &str, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        self.look(space, key, false)?;
        Ok(self.value(space, key).cloned())
    }

    pub(super) fn set(&mut self, space: &str, key: &[u8], value: &[u8], ttl_ms: u64) -> Outcome<()> {
        self.look(space, key, true)?;
        self.put(space, key, value, ttl_ms)
    }

    pub(super) fn delete(&mut self, space: &str, key: &[u8]) -> Outcome<bool> {
        self.look(space, key, true)?;
        Ok(self.values.remove(&place(space, key)).is_some())
    }

    pub(super) fn compare_and_swap(
        &mut self,
        space: &str,
        key: &[u8],
        expected: Option<&[u8]>,
        value: &[u8],
        ttl_ms: u64,
    ) -> Outcome<bool> {
        self.look(space, key, true)?;
        let is_expected = self.value(space, key).map(Vec::as_slice) == expected;
        if is_expected {
            self.put(space, key, value, ttl_ms)?;
        }
        Ok(is_expected)
    }

    pub(super) fn increment(&mut self, space: &str, key: &[u8], by: i64, ttl_ms: u64) -> Outcome<i64> {
        self.look(space, key, true)?;
        let end = self.end(ttl_ms);
        let counter = self.values.entry(place(space, key)).or_insert_with(|| Until { content: b"0".to_vec(), end });
        let count = str::from_utf8(&counter.content).ok().and_then(|digits| digits.parse::<i64>().ok());
        let sum = count.and_then(|count| count.checked_add(by)).ok_or(Error::NotACounter)?;
        counter.content = sum.to_string().into_bytes();
        Ok(sum)
    }

    pub(super) fn acquire(&mut self, space: &str, key: &[u8], ttl_ms: u64) -> Outcome<Option<u64>> {
        self.look(space, key, true)?;
        if self.leases.contains_key(&place(space, key)) {
            return Ok(None);
        }
        self.last_token += 1;
        let lease = Until { content: self.last_token, end: self.end(ttl_ms) };
        self.leases.insert(place(space, key), lease);
        Ok(Some(self.last_token))
    }

    pub(super) fn renew(&mut self, space: &str, key: &[u8], token: u64, ttl_ms: u64) -> Outcome<bool> {
        self.look(space, key, true)?;
        let end = self.end(ttl_ms);
        let lease = self.leases.get_mut(&place(space, key)).filter(|lease| lease.content == token);
        Ok(lease.map(|lease| lease.end = end).is_some())
    }

    pub(super) fn release(&mut self, space: &str, key: &[u8], token: u64) -> Outcome<bool> {
        self.look(space, key, true)?;
        let place = place(space, key);
        let held = self.leases.get(&place).is_some_and(|lease| lease.content == token);
        if held {
            self.leases.remove(&place);
        }
        Ok(held)
    }

    fn look(&self, space: &str, key: &[u8], to_write: bool) -> Outcome<()> {
        match self.granted.get(space) {
            None if !space.is_empty() => return Err(Error::Denied),
            Some(false) if to_write => return Err(Error::ReadOnly),
            _ => {}
        }
        match self.failure {
            Some(failure) => Err(failure),
            None if key.is_empty() || key.len() > MAX_KEY => Err(Error::TooLarge),
            None => Ok(()),
        }
    }

    fn value(&self, space: &str, key: &[u8]) -> Option<&Vec<u8>> {
        self.values.get(&place(space, key)).map(|value| &value.content)
    }

    fn put(&mut self, space: &str, key: &[u8], value: &[u8], ttl_ms: u64) -> Outcome<()> {
        if value.len() > MAX_VALUE {
            return Err(Error::TooLarge);
        }
        let value = Until { content: value.to_vec(), end: self.end(ttl_ms) };
        self.values.insert(place(space, key), value);
        Ok(())
    }

    fn end(&self, ttl_ms: u64) -> Option<u128> {
        (ttl_ms > 0).then(|| self.now + u128::from(ttl_ms) * 1_000_000)
    }
}

fn place(space: &str, key: &[u8]) -> (String, Vec<u8>) {
    (space.to_owned(), key.to_vec())
}
