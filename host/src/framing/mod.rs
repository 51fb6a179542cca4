//! Where a client's HTTP/1.1 requests begin and end (RFC 9112), read so that nobody can read it otherwise.
//!
//! Parsers downstream of a proxy may be of another opinion on anything that the RFC does not allow but that many tolerate: a
//! bare LF, two lengths, white space before a colon. So every byte passes a [`Tracker`] before anybody makes anything of it.
//!
//! In content of known length the tracker only counts. No copies are made and nothing is allocated, except for what a head,
//! or a line between chunks, has left over when a read ends in the midst of it.

mod chunks;
mod fields;
mod head;
mod lexical;
mod limits;
mod request;
mod tracker;
mod violation;

pub use chunks::size as chunk_size;
pub use fields::may_be_trailer;
pub use lexical::{has_option, is_host, number, trim};
pub use limits::Limits;
pub use tracker::{Content, Scan, Tracker};
pub use violation::{Violation, violation_in};
