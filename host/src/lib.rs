//! Tollgate: an HTTP gateway whose policies are sandboxed WebAssembly filters.

pub mod message;
pub mod sandbox;
