//! What the service manager is told, if it wants to be (sd_notify(3)).

use std::env;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// The program serves, or serves again.
pub fn ready() {
    notify("READY=1");
}

/// It takes in a change, or is about to be replaced; `ready` follows.
pub fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    notify(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000));
}

/// Another process serves in its place.
pub fn replaced_by(process: u32) {
    notify(&format!("MAINPID={process}\nREADY=1"));
}

/// It drains.
pub fn stopping() {
    notify("STOPPING=1");
}

/// Nothing depends on it, so a failure is only logged.
fn notify(message: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(&path),
    };
    let sent = UnixDatagram::unbound()
        .and_then(|socket| address.and_then(|address| socket.send_to_addr(message.as_bytes(), &address)));
    if let Err(error) = sent {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
