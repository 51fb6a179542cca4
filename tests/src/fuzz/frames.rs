//! Frames of HTTP/2: counted alike however they are cut.

use std::rc::Rc;

use tollgate::connection::frames::{Flood, Frames, PREFACE};
use tollgate::message::Seconds;

/// A number that says where the bytes are cut, then frames.
pub fn run(data: &[u8]) {
    let Some((every, frames)) = data.split_first() else { return };
    let whole = taken(frames, frames.len().max(1));
    for every in [1, usize::from(*every).max(1)] {
        assert_eq!(taken(frames, every), whole, "in pieces of {every}");
    }
}

/// Whether the head of a request was seen, as often as all that comes is taken.
fn taken(bytes: &[u8], every: usize) -> Result<bool, Flood> {
    let mut frames = Frames::new(Rc::clone(&Seconds::default()));
    frames.read(PREFACE)?;
    let mut seen = false;
    // Often enough for whatever adds up to do so.
    for _ in 0..64 {
        for piece in bytes.chunks(every) {
            seen |= frames.read(piece)?;
        }
    }
    Ok(seen)
}

/// Frames that open, steer and reset.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let frame = |length: u8, kind: u8| [&[0, 0, length, kind, 0, 0, 0, 0, 1], &*vec![0; length.into()]].concat();
    vec![
        [vec![3], frame(0, 4), frame(5, 1), frame(4, 3), frame(4, 8), frame(3, 0)].concat(),
        [vec![9], frame(4, 3), frame(4, 3), frame(4, 3), frame(4, 3), frame(4, 3), frame(4, 3)].concat(),
        [vec![1], frame(8, 6), frame(0, 0), frame(0, 9), frame(0, 0xfa)].concat().repeat(12),
    ]
}
