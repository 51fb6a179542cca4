//! How large the parts of a message may be.

/// Bounds on what is read of a message besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fields of a head, and of a trailer section.
    pub fields: usize,
    /// Bytes of a head, and of a trailer section.
    pub bytes: usize,
    /// Bytes of the first line.
    pub line: usize,
    /// Bytes of one field.
    pub field: usize,
    /// Bytes of all chunk extensions of a message.
    pub extensions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fields: 100, bytes: 32 << 10, line: 8 << 10, field: 16 << 10, extensions: 1 << 10 }
    }
}
