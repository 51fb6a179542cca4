//! Which directories are watched, and which events matter.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use notify::event::ModifyKind;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Event;
use crate::config;

pub(super) struct Watch {
    watcher: RecommendedWatcher,
    /// With device and inode, as a directory of the same name may be another one; none while it does not exist.
    directories: BTreeMap<PathBuf, Option<(u64, u64)>>,
    /// Files that matter by name, whatever their ending.
    files: BTreeSet<PathBuf>,
    /// Directories that were renamed or removed: the watch has gone with them, even where the same one, or another one with
    /// the same inode, is there now.
    moved: BTreeSet<PathBuf>,
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
        let (directories, files, moved) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Ok(Self { watcher, directories, files, moved })
    }

    /// Watches these directories and no others; says whether one of them is new, so that what changed in it before now
    /// was not seen. One that does not exist is watched once it does: its parent is among them.
    pub(super) fn follow(&mut self, directories: &[PathBuf], files: &[PathBuf]) -> bool {
        self.files = files.iter().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())).collect();
        for gone in self.directories.keys().filter(|known| !directories.contains(known)) {
            // Fails if it no longer exists, which is the usual reason for this.
            let _ = self.watcher.unwatch(gone);
        }
        let mut news = false;
        let mut followed = BTreeMap::new();
        for directory in directories {
            let identity = std::fs::metadata(directory).ok().map(|found| (found.dev(), found.ino()));
            let is_watched = self.directories.get(directory) == Some(&identity) && !self.moved.contains(directory);
            if identity.is_some() && !is_watched {
                news = true;
                let _ = self.watcher.unwatch(directory);
                if let Err(error) = self.watcher.watch(directory, RecursiveMode::NonRecursive) {
                    tracing::error!(directory = %directory.display(), %error, "cannot be watched: changes in it need a SIGHUP");
                }
            }
            followed.insert(directory.clone(), identity);
        }
        self.directories = followed;
        self.moved.clear();
        news
    }

    /// Whether an event can change what is served.
    pub(super) fn concerns(&mut self, event: &notify::Event) -> bool {
        if matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))) {
            self.moved.extend(event.paths.iter().filter(|path| self.directories.contains_key(*path)).cloned());
        }
        let of_interest = |path: &PathBuf| {
            let by_ending = path.extension().is_some_and(|ending| ending == "toml") || config::is_code(path);
            // Kubernetes replaces the files of a volume by renaming this link.
            by_ending || self.files.contains(path) || self.directories.contains_key(path) || path.ends_with("..data")
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
