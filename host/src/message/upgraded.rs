//! A connection that has left HTTP behind (RFC 9110, section 7.8).

use std::any::Any;
use std::pin::Pin;

use bytes::Bytes;
use hyper::rt::{Read, Write};

/// Reads and writes bytes.
pub trait Duplex: Read + Write {}

impl<T: Read + Write> Duplex for T {}

/// The upstream's end of a tunnel, from the byte after its 101 on.
pub struct Upgraded {
    /// The connection.
    pub io: Pin<Box<dyn Duplex>>,
    /// What came together with the 101.
    pub read: Bytes,
    /// What is held for as long as the connection is.
    pub held: Option<Box<dyn Any>>,
}

impl Upgraded {
    /// Takes over a connection and what has been read from it already.
    pub fn new(io: impl Duplex + 'static, read: Bytes) -> Self {
        Self { io: Box::pin(io), read, held: None }
    }

    /// Holds something for as long as the connection: a place among those that are counted, say.
    #[must_use]
    pub fn with(mut self, held: impl Any) -> Self {
        self.held = Some(Box::new(held));
        self
    }
}

impl std::fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgraded").field("read", &self.read.len()).finish_non_exhaustive()
    }
}
