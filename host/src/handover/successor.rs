//! The program that is to replace this one.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::{Note, Program, READY, VARIABLE};

/// How long it may take to serve: large modules are compiled first.
const PATIENCE: Duration = Duration::from_secs(300);

/// The most that it says about why it does not.
const MAX_REASON: u64 = 64 << 10;

/// A program that has been started. Killed when dropped, unless it has said that it serves.
#[derive(Debug)]
pub struct Successor {
    child: Child,
    answer: tokio::net::UnixStream,
    said: Vec<u8>,
    until: Instant,
    serves: bool,
}

impl Successor {
    /// Starts what is in the program's file now, with the sockets by the names of their listeners; the one without a name is
    /// that of the admin pages.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(program: &Program, sockets: &[(Option<String>, OwnedFd)]) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let theirs = OwnedFd::from(theirs);
        for descriptor in sockets.iter().map(|(_, socket)| socket).chain([&theirs]) {
            fcntl_setfd(descriptor, FdFlags::empty())?;
        }
        let note = Note {
            from: std::process::id(),
            answer: theirs.as_raw_fd(),
            sockets: sockets.iter().map(|(name, socket)| (name.clone(), socket.as_raw_fd())).collect(),
        };
        let mut command = program.command();
        command.env(VARIABLE, serde_json::to_string(&note)?);
        // They were for this process.
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
            command.env_remove(name);
        }
        ours.set_nonblocking(true)?;
        let answer = tokio::net::UnixStream::from_std(ours)?;
        Ok(Self { child: command.spawn()?, answer, said: Vec::new(), until: Instant::now() + PATIENCE, serves: false })
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it serves. May be dropped and asked again.
    ///
    /// # Errors
    /// If it does not, with the reason.
    pub async fn ready(&mut self) -> Result<(), String> {
        match tokio::time::timeout_at(self.until, hear(&mut self.answer, &mut self.said)).await {
            Err(_) => return Err(format!("it did not serve within {PATIENCE:?}")),
            Ok(Err(error)) => return Err(format!("it cannot be heard: {error}")),
            Ok(Ok(())) if self.said == READY => {
                self.serves = true;
                return Ok(());
            }
            Ok(Ok(())) if !self.said.is_empty() => return Err(String::from_utf8_lossy(&self.said).into_owned()),
            Ok(Ok(())) => {}
        }
        // It has closed its end without a word, so it has ended or never will serve.
        let _ = self.child.kill();
        Err(self.child.wait().map_or_else(|error| error.to_string(), |status| format!("it ended with {status}")))
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.serves {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads to the end, or until it has said that it serves.
async fn hear(answer: &mut tokio::net::UnixStream, said: &mut Vec<u8>) -> io::Result<()> {
    let mut answer = answer.take(MAX_REASON);
    while answer.read_buf(said).await? > 0 && said != READY {}
    Ok(())
}
