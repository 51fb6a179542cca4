//! A body on its way into one piece, for a filter that sees the whole at once.

use bytes::{Bytes, BytesMut};

/// What has come of it, within a bound.
pub(super) struct Gathered {
    content: BytesMut,
    limit: usize,
}

/// There is more than is kept.
pub(super) struct TooMuch;

impl Gathered {
    /// Nothing yet of a body of at most so many bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { content: BytesMut::new(), limit }
    }

    /// Whether there is no room for so many bytes more.
    pub(super) fn is_too_short_for(&self, more: u64) -> bool {
        more > (self.limit - self.content.len()) as u64
    }

    /// Copied, so that a body of small pieces does not hold on to a buffer for each.
    pub(super) fn add(&mut self, data: Bytes) -> Result<(), TooMuch> {
        if self.is_too_short_for(data.len() as u64) {
            return Err(TooMuch);
        }
        self.content.extend_from_slice(&data);
        Ok(())
    }

    /// The whole.
    pub(super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.content).freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_the_bound_is_kept() {
        let mut gathered = Gathered::new(4);
        assert!(gathered.add(Bytes::from_static(b"abc")).is_ok());
        assert!(gathered.is_too_short_for(2) && !gathered.is_too_short_for(1));
        assert!(gathered.add(Bytes::from_static(b"de")).is_err());
        assert!(gathered.add(Bytes::from_static(b"d")).is_ok());
        assert_eq!(&*gathered.take(), b"abcd");
    }
}
