//! A project's sources, and when they have changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// Changes that follow one another faster than that belong together: an editor saves several files, a formatter follows.
const QUIET: Duration = Duration::from_millis(50);
/// How long changes can go on before they are looked at all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// What tools make or fetch, rather than people write. Hidden files and folders are no sources either.
const NO_SOURCES: [&str; 7] = ["build", "target", "node_modules", "__pycache__", "venv", "dist", "vendor"];

/// Something to wait for.
pub(super) enum Event {
    /// A file.
    Changed(notify::Event),
    /// It is to end.
    Stop,
}

/// What is watched.
pub(super) struct Sources {
    project: PathBuf,
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
}

impl Sources {
    pub(super) fn watch(project: &Path, events: Sender<Event>) -> Result<Self, String> {
        let failed = |error: notify::Error| format!("{}: cannot be watched: {error}", project.display());
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let event =
                event.unwrap_or_else(|_| notify::Event::new(EventKind::Any).set_flag(notify::event::Flag::Rescan));
            drop(events.send(Event::Changed(event)));
        });
        let whole = project.canonicalize().map_err(|error| format!("{}: {error}", project.display()))?;
        let mut sources = Self { project: whole, watcher: watcher.map_err(failed)?, folders: BTreeSet::new() };
        sources.follow().map_err(failed)?;
        Ok(sources)
    }

    /// Waits for a change and its end; false if it is to end instead.
    pub(super) fn wait(&mut self, events: &Receiver<Event>) -> bool {
        let mut first: Option<Instant> = None;
        loop {
            let event = match first {
                None => events.recv().ok(),
                Some(since) => match events.recv_timeout(QUIET.min(PATIENCE.saturating_sub(since.elapsed()))) {
                    Ok(event) => Some(event),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => None,
                },
            };
            match event {
                Some(Event::Changed(event)) if self.concerns(&event) => drop(first.get_or_insert_with(Instant::now)),
                Some(Event::Changed(_)) => {}
                Some(Event::Stop) | None => return false,
            }
        }
        // Folders that are new are watched from now on; what cannot be is not worth the end of all.
        let _ = self.follow();
        true
    }

    fn concerns(&self, event: &notify::Event) -> bool {
        use notify::event::ModifyKind;
        let reads = matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)));
        !reads && (event.need_rescan() || event.paths.iter().any(|path| self.is_source(path)))
    }

    fn is_source(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.project) else { return false };
        let name = inside.file_name().unwrap_or_default().as_encoded_bytes();
        let is_temporary =
            name.ends_with(b"~") || name.ends_with(b".swp") || name.ends_with(b".tmp") || name == b"4913";
        !is_temporary && inside.iter().all(is_own)
    }

    /// Watches the folders that there are.
    fn follow(&mut self) -> notify::Result<()> {
        let mut found = BTreeSet::new();
        collect(&self.project, &mut found);
        for gone in self.folders.difference(&found) {
            let _ = self.watcher.unwatch(gone);
        }
        for new in found.difference(&self.folders) {
            self.watcher.watch(new, RecursiveMode::NonRecursive)?;
        }
        self.folders = found;
        Ok(())
    }
}

fn is_own(name: &std::ffi::OsStr) -> bool {
    !name.as_encoded_bytes().starts_with(b".") && !NO_SOURCES.iter().any(|other| name == *other)
}

fn collect(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    found.insert(folder.to_owned());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        // Links are not followed, or there might be no end.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_own(&entry.file_name()) {
            collect(&entry.path(), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use notify::event::{AccessKind, CreateKind, DataChange, ModifyKind};

    use super::*;

    #[test]
    fn what_tools_leave_is_no_source() {
        let (sender, events) = channel();
        let folder = std::env::temp_dir().join(format!("tollgate-sources-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("src/deep")).unwrap();
        std::fs::create_dir_all(folder.join("target/debug")).unwrap();
        let mut sources = Sources::watch(&folder, sender.clone()).unwrap();
        let folder = folder.canonicalize().unwrap();
        assert_eq!(sources.folders.len(), 3, "{:?}", sources.folders);
        for other in ["target/debug/a.wasm", "build/a.wasm", "src/.a.c.swp", "src/a.c~", ".git/index", "src/deep/4913"]
        {
            assert!(!sources.is_source(&folder.join(other)), "{other}");
        }
        for own in ["src/a.c", "src/deep/b.py", "Cargo.toml", "cases.toml"] {
            assert!(sources.is_source(&folder.join(own)), "{own}");
        }
        let event = |kind| notify::Event::new(kind).add_path(folder.join("src/a.c"));
        assert!(sources.concerns(&event(EventKind::Create(CreateKind::File))));
        assert!(sources.concerns(&event(EventKind::Modify(ModifyKind::Data(DataChange::Any)))));
        assert!(!sources.concerns(&event(EventKind::Access(AccessKind::Read))));
        std::fs::write(folder.join("src/a.c"), "x").unwrap();
        assert!(sources.wait(&events));
        sender.send(Event::Stop).unwrap();
        while events.try_recv().is_ok() {}
        sender.send(Event::Stop).unwrap();
        assert!(!sources.wait(&events));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
