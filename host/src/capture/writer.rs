//! The thread that writes captures, away from the workers.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::UNIX_EPOCH;

use super::tape::Captured;
use super::text;

/// How many captures may wait. More are dropped: the next fault will do as well.
const QUEUE: usize = 16;

/// Takes captures. Dropped, it waits until those that it has taken are written.
pub struct Writer {
    captures: Option<SyncSender<Captured>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn start() -> io::Result<Self> {
        let (captures, queue) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("captures".into()).spawn(move || write_all(&queue))?;
        Ok(Self { captures: Some(captures), thread: Some(thread) })
    }

    /// Hands a capture over, unless too many are waiting.
    pub(super) fn send(&self, captured: Captured) {
        if let Some(captures) = &self.captures {
            let _ = captures.try_send(captured);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.captures.take());
        // A capture that is being written may hold the last share of this.
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}

fn write_all(queue: &Receiver<Captured>) {
    while let Ok(captured) = queue.recv() {
        let (policy, hook) = (&captured.shared.policy.name, captured.hook);
        match write(&captured) {
            Ok(Some(file)) => tracing::info!(%policy, hook, file = %file.display(), "fault captured"),
            Ok(None) => {
                captured.shared.pause();
                let folder = captured.shared.settings.directory.display();
                tracing::info!(%policy, %folder, "no more faults are captured; remove captures that have been looked at");
            }
            Err(error) => {
                captured.shared.pause();
                let folder = captured.shared.settings.directory.display();
                tracing::warn!(%policy, %folder, %error, "a fault could not be captured");
            }
        }
    }
}

/// Writes a capture beside and renames it, so that nobody reads half of it; none if there are enough.
fn write(captured: &Captured) -> io::Result<Option<PathBuf>> {
    let settings = &captured.shared.settings;
    DirBuilder::new().recursive(true).mode(0o700).create(&settings.directory)?;
    let prefix = format!("{}-fault-", plain(&captured.shared.policy.name));
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&settings.directory)? {
        names.extend(entry?.file_name().into_string().ok().filter(|name| name.starts_with(&prefix)));
    }
    if names.len() >= settings.max {
        return Ok(None);
    }
    let millis = captured.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let free = (0..).map(|count: u32| format!("{prefix}{millis}-{count}.cases.toml"));
    let name = free.into_iter().find(|name| !names.contains(name)).unwrap_or_default();
    let (file, unfinished) = (settings.directory.join(&name), settings.directory.join(format!(".{name}")));
    let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    open.write_all(text::of(captured).as_bytes())?;
    fs::rename(unfinished, &file)?;
    Ok(Some(file))
}

/// A policy's name as part of the name of a file.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    name.chars().map(plain).collect()
}
