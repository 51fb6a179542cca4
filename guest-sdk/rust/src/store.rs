//! State that outlives exchanges and instances, shared by all workers and, where the operator has chosen a store for several,
//! by all gateways: values, counters and leases by key.
//!
//! ```
//! use std::time::Duration;
//! use tollgate_filter::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct OncePerKey {}
//!
//! #[filter]
//! impl Filter for OncePerKey {
//!     fn on_request(&self, request: &mut Request<'_>) -> Outcome {
//!         let Some(key) = request.field("idempotency-key") else { return Ok(Next::Forward) };
//!         // The first one within an hour counts to 1.
//!         if store::own().increment(&*key, 1, Duration::from_secs(3600))? > 1 {
//!             return Ok(Reply::problem(409, "Conflict").into());
//!         }
//!         Ok(Next::Forward)
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! Keys have 1 to 1024 bytes, values at most 65,536. A value and a lease may have the same key. Not possible in
//! [`check`](crate::Filter::check) and [`on_end`](crate::Filter::on_end).

use std::fmt;
use std::time::Duration;

use crate::bindings::tollgate::filter::store as wit;
use crate::host;

/// How often [`Space::update`] tries before it gives up.
const ATTEMPTS: usize = 64;

/// Why something came to nothing. `?` makes a [`Fault`](crate::Fault) of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no such space, or the policy was not granted it (`grants.store`).
    Denied,
    /// The policy may read the space, but not change it.
    ReadOnly,
    /// The key or the value is longer than it may be, or the key is empty.
    TooLarge,
    /// There is no room for it in the space.
    Full,
    /// What stands there is no counter, or would be beyond 64 bits.
    NotACounter,
    /// The store cannot be reached, or did not answer in time; whether anything has changed is not known.
    Unavailable,
    /// Others changed the value each time before it could be swapped.
    Busy,
}

/// A space that keys are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space<'a>(&'a str);

/// A lease that this filter holds, for as long as its time lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a lease that is dropped stays taken until its time is over"]
pub struct Lease {
    space: String,
    key: Vec<u8>,
    token: u64,
}

/// The policy's own space, which no other policy can reach.
#[must_use]
pub fn own() -> Space<'static> {
    Space("")
}

/// A space that policies share. Denied unless the policy was granted it.
#[must_use]
pub fn shared(name: &str) -> Space<'_> {
    Space(name)
}

impl Space<'_> {
    /// The value of a key; none if there is none, or its time is over.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::TooLarge`], [`Error::Unavailable`].
    pub fn get(self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, Error> {
        Ok(host::store_get(self.0, key.as_ref())?)
    }

    /// The value of a key as text; none also if it is no UTF-8.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn text(self, key: impl AsRef<[u8]>) -> Result<Option<String>, Error> {
        Ok(self.get(key)?.and_then(|value| String::from_utf8(value).ok()))
    }

    /// What a counter is now, 0 if it is not there. Changes nothing.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`Error::NotACounter`].
    pub fn count(self, key: impl AsRef<[u8]>) -> Result<i64, Error> {
        match self.get(key)? {
            None => Ok(0),
            Some(digits) => {
                str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok()).ok_or(Error::NotACounter)
            }
        }
    }

    /// Sets the value of a key, for that time or, if it is zero, for good.
    ///
    /// # Errors
    /// Any but [`Error::NotACounter`] and [`Error::Busy`].
    pub fn set(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Duration) -> Result<(), Error> {
        Ok(host::store_set(self.0, key.as_ref(), value.as_ref(), milliseconds(ttl))?)
    }

    /// Removes the value of a key. Says whether there was one.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn delete(self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        Ok(host::store_delete(self.0, key.as_ref())?)
    }

    /// Sets the value of a key if its value is now the expected one; without one, if there is none. Says whether it has.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn compare_and_swap(
        self,
        key: impl AsRef<[u8]>,
        expected: Option<&[u8]>,
        value: impl AsRef<[u8]>,
        ttl: Duration,
    ) -> Result<bool, Error> {
        Ok(host::store_compare_and_swap(self.0, key.as_ref(), expected, value.as_ref(), milliseconds(ttl))?)
    }

    /// Makes a new value of the one that is there and swaps it in, again if somebody else has changed it meanwhile; returns
    /// the new one. It may be called several times.
    ///
    /// # Errors
    /// As [`set`](Self::set), and [`Error::Busy`] after many attempts.
    pub fn update(
        self,
        key: impl AsRef<[u8]>,
        ttl: Duration,
        mut change: impl FnMut(Option<&[u8]>) -> Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let key = key.as_ref();
        for _ in 0..ATTEMPTS {
            let old = self.get(key)?;
            let new = change(old.as_deref());
            if self.compare_and_swap(key, old.as_deref(), &new, ttl)? {
                return Ok(new);
            }
        }
        Err(Error::Busy)
    }

    /// Adds to a counter, which is 0 where there is no value, and returns what it is then. The time counts from the call that
    /// makes the counter, and later calls leave it as it is; if it is zero, the counter is there for good.
    ///
    /// # Errors
    /// As [`set`](Self::set), and [`Error::NotACounter`].
    pub fn increment(self, key: impl AsRef<[u8]>, by: i64, ttl: Duration) -> Result<i64, Error> {
        Ok(host::store_increment(self.0, key.as_ref(), by, milliseconds(ttl))?)
    }

    /// Takes the lease of a key for that time, at least a millisecond; none if somebody else has it. What is done under it
    /// must bear being done twice, as who is slow may lose it without noticing.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn lease(self, key: impl AsRef<[u8]>, ttl: Duration) -> Result<Option<Lease>, Error> {
        let key = key.as_ref();
        let token = host::store_acquire(self.0, key, milliseconds(ttl).max(1))?;
        Ok(token.map(|token| Lease { space: self.0.to_owned(), key: key.to_vec(), token }))
    }
}

impl Lease {
    /// Has the lease for that time from now, at least a millisecond, if it still is this holder's. Says whether it is.
    ///
    /// # Errors
    /// As [`Space::set`].
    pub fn renew(&self, ttl: Duration) -> Result<bool, Error> {
        Ok(host::store_renew(&self.space, &self.key, self.token, milliseconds(ttl).max(1))?)
    }

    /// Gives the lease back. Says whether it still was this holder's.
    ///
    /// # Errors
    /// As [`Space::set`].
    pub fn release(self) -> Result<bool, Error> {
        Ok(host::store_release(&self.space, &self.key, self.token)?)
    }
}

/// Rounded up: a short time is not for good.
fn milliseconds(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied => "there is no such space, or it was not granted to the policy",
            Self::ReadOnly => "the policy may only read the space",
            Self::TooLarge => "the key or the value is too large, or the key is empty",
            Self::Full => "the space is full",
            Self::NotACounter => "the value is no counter, or would be beyond 64 bits",
            Self::Unavailable => "the store cannot be reached, or did not answer in time",
            Self::Busy => "the value was changed by others each time",
        })
    }
}

impl std::error::Error for Error {}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::Denied => Self::Denied,
            wit::Error::ReadOnly => Self::ReadOnly,
            wit::Error::TooLarge => Self::TooLarge,
            wit::Error::Full => Self::Full,
            wit::Error::NotACounter => Self::NotACounter,
            wit::Error::Unavailable => Self::Unavailable,
        }
    }
}
