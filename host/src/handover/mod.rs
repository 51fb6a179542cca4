//! From one process to the next without a refused connection: sockets are inherited, from a service manager at the start or
//! from the running program that a new one replaces. A connection that waits in a socket is lost when the socket is closed,
//! so the very sockets go over, and the old program closes its own only when the new one serves.

mod descriptor;
mod predecessor;
mod program;
mod successor;

pub use predecessor::{Predecessor, Received, receive};
pub use program::Program;
pub use successor::Successor;

use serde::{Deserialize, Serialize};

/// Where the note to a successor is.
const VARIABLE: &str = "TOLLGATE_HANDOVER";

/// What a successor says when it serves; anything else is the reason why it does not.
const READY: &[u8] = b"ready\n";

/// What a successor has to know.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Note {
    /// The process that wrote it: nobody but its child is meant.
    from: u32,
    /// The descriptor to say on that it serves.
    answer: i32,
    /// Each socket: the listener's name, or none if it is that of the admin pages, and the descriptor.
    sockets: Vec<(Option<String>, i32)>,
}
