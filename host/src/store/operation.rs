//! What can be done with a space, as something that can be handed on: to a server, or to a space in its place.

use super::{MAX_KEY, MAX_VALUE, Moment, StoreError};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// With which key.
    pub key: Vec<u8>,
    /// What.
    pub deed: Deed,
}

/// What is done with a key. Times to live are in milliseconds, 0 is for good.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "as the methods of `Moment`")]
pub enum Deed {
    Get,
    Set { value: Vec<u8>, ttl_ms: u64 },
    Delete,
    CompareAndSwap { expected: Option<Vec<u8>>, value: Vec<u8>, ttl_ms: u64 },
    Increment { by: i64, ttl_ms: u64 },
    Acquire { ttl_ms: u64 },
    Renew { token: u64, ttl_ms: u64 },
    Release { token: u64 },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of `get`.
    Value(Option<Vec<u8>>),
    /// Of `increment`.
    Count(i64),
    /// Of `acquire`.
    Token(Option<u64>),
    /// Of everything else; true of `set`.
    Flag(bool),
}

impl Operation {
    /// Whether it may be done at all: what a space in this process looks at by itself.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let value = match &self.deed {
            Deed::Set { value, .. } | Deed::CompareAndSwap { value, .. } => value.len(),
            _ => 0,
        };
        let fits = (1..=MAX_KEY).contains(&self.key.len()) && value <= MAX_VALUE;
        if fits { Ok(()) } else { Err(StoreError::TooLarge) }
    }
}

impl Moment<'_> {
    /// Does it in this process.
    ///
    /// # Errors
    /// As the method of that name.
    pub fn perform(self, Operation { key, deed }: &Operation) -> Result<Answer, StoreError> {
        match deed {
            Deed::Get => self.get(key).map(Answer::Value),
            Deed::Set { value, ttl_ms } => self.set(key, value, *ttl_ms).map(|()| Answer::Flag(true)),
            Deed::Delete => self.delete(key).map(Answer::Flag),
            Deed::CompareAndSwap { expected, value, ttl_ms } => {
                self.compare_and_swap(key, expected.as_deref(), value, *ttl_ms).map(Answer::Flag)
            }
            Deed::Increment { by, ttl_ms } => self.increment(key, *by, *ttl_ms).map(Answer::Count),
            Deed::Acquire { ttl_ms } => self.acquire(key, *ttl_ms).map(Answer::Token),
            Deed::Renew { token, ttl_ms } => self.renew(key, *token, *ttl_ms).map(Answer::Flag),
            Deed::Release { token } => self.release(key, *token).map(Answer::Flag),
        }
    }
}
