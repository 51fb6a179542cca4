//! `store`.

use wasmtime::Result;

use crate::sandbox::bindings::tollgate::filter::store::{Error, Host};
use crate::sandbox::instance::HostState;
use crate::store::StoreError;

type Outcome<T> = Result<std::result::Result<T, Error>>;

impl Host for HostState {
    fn get(&mut self, space: String, key: Vec<u8>) -> Outcome<Option<Vec<u8>>> {
        answer(self.read_space(&space, &key, |space| space.get(&key)))
    }

    fn set(&mut self, space: String, key: Vec<u8>, value: Vec<u8>, ttl_ms: u64) -> Outcome<()> {
        answer(self.write_space(&space, &key, |space| space.set(&key, &value, ttl_ms)))
    }

    fn delete(&mut self, space: String, key: Vec<u8>) -> Outcome<bool> {
        answer(self.write_space(&space, &key, |space| space.delete(&key)))
    }

    fn compare_and_swap(
        &mut self,
        space: String,
        key: Vec<u8>,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        ttl_ms: u64,
    ) -> Outcome<bool> {
        answer(
            self.write_space(&space, &key, |space| space.compare_and_swap(&key, expected.as_deref(), &value, ttl_ms)),
        )
    }

    fn increment(&mut self, space: String, key: Vec<u8>, by: i64, ttl_ms: u64) -> Outcome<i64> {
        answer(self.write_space(&space, &key, |space| space.increment(&key, by, ttl_ms)))
    }

    fn acquire(&mut self, space: String, key: Vec<u8>, ttl_ms: u64) -> Outcome<Option<u64>> {
        answer(self.write_space(&space, &key, |space| space.acquire(&key, ttl_ms)))
    }

    fn renew(&mut self, space: String, key: Vec<u8>, token: u64, ttl_ms: u64) -> Outcome<bool> {
        answer(self.write_space(&space, &key, |space| space.renew(&key, token, ttl_ms)))
    }

    fn release(&mut self, space: String, key: Vec<u8>, token: u64) -> Outcome<bool> {
        answer(self.write_space(&space, &key, |space| space.release(&key, token)))
    }
}

fn answer<T>(outcome: Result<std::result::Result<T, StoreError>>) -> Outcome<T> {
    Ok(outcome?.map_err(Error::from))
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Denied => Self::Denied,
            StoreError::ReadOnly => Self::ReadOnly,
            StoreError::TooLarge => Self::TooLarge,
            StoreError::Full => Self::Full,
            StoreError::NotACounter => Self::NotACounter,
            StoreError::Unavailable => Self::Unavailable,
        }
    }
}
