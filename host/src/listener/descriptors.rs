//! How many descriptors the process may have, and what becomes of connections when it has no more.

use std::fs::File;
use std::io;

use rustix::process::{Resource, getrlimit};

/// How many client connections fit: each may need another one to an upstream, and files and listeners need some too.
#[must_use]
pub fn room_for_connections() -> usize {
    room_within(getrlimit(Resource::Nofile).current)
}

/// Memory ends before that many connections do.
const MOST: u64 = 100_000;

fn room_within(descriptors: Option<u64>) -> usize {
    let descriptors = descriptors.unwrap_or(u64::MAX);
    let others = (descriptors / 4).min(256);
    usize::try_from(((descriptors - others) / 2).clamp(1, MOST)).unwrap_or(usize::MAX)
}

/// Whether an error is that the process or the system has no descriptor left.
pub(super) fn are_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// A descriptor that is kept for when there is no other: given up, it makes room to accept a connection and close it, so that
/// clients are not left hanging in the queue.
pub(super) struct Reserve(Option<File>);

impl Reserve {
    pub(super) fn new() -> Self {
        Self(open())
    }

    /// Makes room for the call, and takes it again. Others may be faster; then it is taken the next time.
    pub(super) fn lend<T>(&mut self, call: impl FnOnce() -> T) -> T {
        self.0 = None;
        let result = call();
        self.0 = open();
        result
    }
}

fn open() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_each_connection_and_its_upstream() {
        let room = [0, 64, 1_024, 20_000, 1 << 30].map(|descriptors| room_within(Some(descriptors)));
        assert_eq!(room, [1, 24, 384, 9_872, 100_000]);
        assert_eq!(room_within(None), 100_000);
    }

    #[test]
    fn only_a_lack_of_descriptors_is_one() {
        assert!(are_exhausted(&io::Error::from_raw_os_error(24)) && are_exhausted(&io::Error::from_raw_os_error(23)));
        assert!(!are_exhausted(&io::ErrorKind::ConnectionRefused.into()));
    }
}
