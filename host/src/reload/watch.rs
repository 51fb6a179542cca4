//! Which directories are watched, and which events matter.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Event;

pub(super) struct Watch {
    watcher: RecommendedWatcher,
    directories: BTreeSet<PathBuf>,
}

impl Watch {
    pub(super) fn new(events: Sender<Event>) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| match event {
            Ok(event) => drop(events.send(Event::Changed(event))),
            Err(error) => {
                tracing::error!(%error, "a change may have been missed");
                drop(events.send(Event::Asked));
            }
        })?;
        Ok(Self { watcher, directories: BTreeSet::new() })
    }

    /// Watches these directories and no others. Those that were replaced are watched anew.
    pub(super) fn follow(&mut self, directories: &[PathBuf]) -> notify::Result<()> {
        let wanted: BTreeSet<PathBuf> = directories.iter().cloned().collect();
        for gone in self.directories.difference(&wanted) {
            // Fails if it no longer exists, which is the usual reason for this.
            let _ = self.watcher.unwatch(gone);
        }
        self.directories.clone_from(&wanted);
        wanted.iter().try_for_each(|directory| self.watcher.watch(directory, RecursiveMode::NonRecursive))
    }

    /// Whether an event can change what is served.
    pub(super) fn concerns(&self, event: &notify::Event) -> bool {
        let of_interest = |path: &PathBuf| {
            let by_ending = path.extension().is_some_and(|ending| ending == "wasm" || ending == "toml");
            // Kubernetes replaces the files of a volume by renaming this link.
            by_ending || self.directories.contains(path) || path.ends_with("..data")
        };
        let reads = matches!(event.kind, EventKind::Access(access) if !is_end_of_write(access));
        !reads && (event.need_rescan() || event.paths.iter().any(of_interest))
    }
}

pub(super) fn is_end_of_write(access: notify::event::AccessKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    access == AccessKind::Close(AccessMode::Write)
}

/// The path that an event is about.
pub(super) fn path(event: &notify::Event) -> Option<&Path> {
    event.paths.last().map(PathBuf::as_path)
}
