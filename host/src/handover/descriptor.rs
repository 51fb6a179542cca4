//! Descriptors that come by number.

use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// Takes a descriptor that another process left open for this one. Only for those that it was told of, each once, before
/// anything else is opened.
pub(super) fn adopt(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a standard stream"));
    }
    // SAFETY: the descriptor was left open for this process alone, which is what the number was handed over for, and nothing
    // else in it owns it. If it is not open at all, it is given up below without being closed.
    #[allow(unsafe_code, reason = "the only way to take a descriptor by its number")]
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    match rustix::io::fcntl_getfd(&descriptor) {
        Ok(_) => Ok(descriptor),
        Err(error) => {
            let _ = descriptor.into_raw_fd();
            Err(error.into())
        }
    }
}
