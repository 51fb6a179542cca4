//! zlib under the name of zlib-ng: both have the same functions.

pub use libz_sys::*;
