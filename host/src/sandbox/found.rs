//! What hooks have found in stores, for whoever follows them.

use super::instance::{HostState, LOG_LINES};
use crate::store::{Answer, Deed, Moment, Operation};

/// How much is noted of one hook.
const MOST: usize = 64;

/// What a hook came upon when it used a key, before it changed anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The space, as the filter names it.
    pub space: Box<str>,
    /// The key.
    pub key: Vec<u8>,
    /// The value, if there was one.
    pub value: Option<Vec<u8>>,
    /// Whether somebody had its lease.
    pub is_leased: bool,
    /// How many lines the hook had logged before.
    pub logged: u32,
}

impl HostState {
    /// Notes what there is, before it is used.
    pub(super) fn note(&mut self, space: &str, key: &[u8], moment: Moment<'_>) {
        if self.follows && self.found.len() < MOST {
            let (value, is_leased) = moment.peek(key);
            self.add(space, key, value, is_leased);
        }
    }

    /// Notes what there was by what has become of it, where nobody could look before.
    pub(super) fn note_answer(&mut self, space: &str, operation: &Operation, answer: &Answer) {
        if self.follows && self.found.len() < MOST {
            let (value, is_leased) = before(&operation.deed, answer);
            self.add(space, &operation.key, value, is_leased);
        }
    }

    fn add(&mut self, space: &str, key: &[u8], value: Option<Vec<u8>>, is_leased: bool) {
        let logged = LOG_LINES - self.log_lines_left;
        self.found.push(Found { space: space.into(), key: key.to_vec(), value, is_leased, logged });
    }
}

/// What must have been there, as far as an answer tells.
fn before(deed: &Deed, answer: &Answer) -> (Option<Vec<u8>>, bool) {
    match (deed, answer) {
        (Deed::Get, Answer::Value(value)) => (value.clone(), false),
        (Deed::Increment { by, .. }, Answer::Count(count)) => {
            let count = count.saturating_sub(*by);
            (Some(count).filter(|count| *count != 0).map(|count| count.to_string().into_bytes()), false)
        }
        (Deed::CompareAndSwap { expected, .. }, Answer::Flag(true)) => (expected.clone(), false),
        (Deed::Acquire { .. }, Answer::Token(token)) => (None, token.is_none()),
        _ => (None, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_what_was_there() {
        let increment = Deed::Increment { by: 2, ttl_ms: 0 };
        assert_eq!(before(&increment, &Answer::Count(5)), (Some(b"3".to_vec()), false));
        assert_eq!(before(&increment, &Answer::Count(2)), (None, false), "nothing, or a counter of 0");
        assert_eq!(before(&Deed::Acquire { ttl_ms: 1 }, &Answer::Token(None)), (None, true));
        assert_eq!(before(&Deed::Get, &Answer::Value(Some(b"a".to_vec()))), (Some(b"a".to_vec()), false));
    }
}
