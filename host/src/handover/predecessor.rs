//! What this process was given when it was started.

use std::env;
use std::io::Write;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

use super::descriptor::adopt;
use super::{Note, READY, VARIABLE};
use crate::listener::Inherited;

/// The first descriptor of the socket activation protocol (sd_listen_fds(3)).
const FIRST: RawFd = 3;

/// The sockets, and the running program that this one is to replace, if it is to.
#[derive(Debug, Default)]
pub struct Received {
    /// The sockets.
    pub sockets: Inherited,
    /// Who waits for this one to serve.
    pub predecessor: Option<Predecessor>,
}

/// The running program that this one replaces.
#[derive(Debug)]
pub struct Predecessor(UnixStream);

/// Takes what the environment says was given. Once, and before anything else is opened.
///
/// # Errors
/// If it is not what it should be.
pub fn receive() -> Result<Received, String> {
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    let note = env::var(VARIABLE).ok().and_then(|note| serde_json::from_str::<Note>(&note).ok());
    match note.filter(|note| Some(note.from) == parent) {
        Some(note) => from_predecessor(note),
        None => from_service_manager(),
    }
}

fn from_predecessor(note: Note) -> Result<Received, String> {
    let answer = adopt(note.answer).map_err(|error| format!("the predecessor cannot be answered: {error}"))?;
    // Not for the programs that this one starts.
    rustix::io::fcntl_setfd(&answer, rustix::io::FdFlags::CLOEXEC).map_err(|error| error.to_string())?;
    let mut received = Received { predecessor: Some(Predecessor(answer.into())), ..Received::default() };
    for (name, number) in note.sockets {
        received.add(name, number)?;
    }
    Ok(received)
}

/// Socket activation (sd_listen_fds(3)). The names do not matter: a socket belongs to the listener of its address.
fn from_service_manager() -> Result<Received, String> {
    let number = |name| env::var(name).ok().and_then(|number| number.parse::<u32>().ok());
    let mut received = Received::default();
    if number("LISTEN_PID") == Some(std::process::id()) {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let count = RawFd::try_from(number("LISTEN_FDS").unwrap_or(0)).unwrap_or(0).min(1_024);
        for number in FIRST..FIRST + count {
            received.add(Some(names.next().unwrap_or_default().to_owned()), number)?;
        }
    }
    Ok(received)
}

impl Received {
    fn add(&mut self, name: Option<String>, number: RawFd) -> Result<(), String> {
        let of = name.clone().unwrap_or_default();
        let added = adopt(number).and_then(|socket| self.sockets.add(name, socket));
        added.map_err(|error| format!("descriptor {number} ({of:?}) cannot be listened on: {error}"))
    }
}

impl Predecessor {
    /// Tells it that this process serves.
    pub fn ready(self) {
        self.say(READY);
    }

    /// Tells it why this process does not.
    pub fn failed(self, reason: &str) {
        self.say(reason.as_bytes());
    }

    /// If it is gone, there is nobody to tell.
    fn say(mut self, text: &[u8]) {
        let _ = self.0.write_all(text);
    }
}
