//! Messages to the gateway's log, tagged with the policy's name, the route and the trace of the exchange. At most 64 per hook, and
//! 4 KiB each, what is longer is cut; and for each policy 100 a second after a first 1000.

use crate::bindings::tollgate::filter::log::Attribute;
pub use crate::bindings::tollgate::filter::log::Level;
use crate::host;

/// Something failed that should not.
pub fn error(message: impl AsRef<str>) {
    write(Level::Error, message.as_ref(), &[]);
}

/// Something that an operator may want to look at.
pub fn warn(message: impl AsRef<str>) {
    write(Level::Warn, message.as_ref(), &[]);
}

/// Something worth knowing in ordinary operation.
pub fn info(message: impl AsRef<str>) {
    write(Level::Info, message.as_ref(), &[]);
}

/// Something that helps to find a fault.
pub fn debug(message: impl AsRef<str>) {
    write(Level::Debug, message.as_ref(), &[]);
}

/// A message with attributes by name, at most 16, which programs can find in the log: names of 64 bytes and values of 1 KiB at
/// most, cut if they are longer.
///
/// ```no_run
/// # use tollgate_filter::log::{self, Level};
/// log::write(Level::Warn, "the key is about to expire", &[("key", "k-17"), ("days", "3")]);
/// ```
pub fn write(level: Level, message: &str, attributes: &[(&str, &str)]) {
    let attribute = |&(name, value): &(&str, &str)| Attribute { name: name.to_owned(), value: value.to_owned() };
    host::write(level, message, &attributes.iter().map(attribute).collect::<Vec<_>>());
}
