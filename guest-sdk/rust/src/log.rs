//! Messages to the gateway's log, tagged with the policy's name. At most 64 per hook, and 4 KiB each; what is longer is
//! cut.

pub use crate::bindings::tollgate::filter::log::Level;
use crate::host;

/// Something failed that should not.
pub fn error(message: impl AsRef<str>) {
    host::write(Level::Error, message.as_ref());
}

/// Something that an operator may want to look at.
pub fn warn(message: impl AsRef<str>) {
    host::write(Level::Warn, message.as_ref());
}

/// Something worth knowing in ordinary operation.
pub fn info(message: impl AsRef<str>) {
    host::write(Level::Info, message.as_ref());
}

/// Something that helps to find a fault.
pub fn debug(message: impl AsRef<str>) {
    host::write(Level::Debug, message.as_ref());
}
