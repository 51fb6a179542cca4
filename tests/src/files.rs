//! Where things are: what was built, and folders for what a story writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// The target directory that this test was built in.
#[must_use]
pub fn target_dir() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let test = std::env::current_exe().expect("a process knows its program");
        // Cargo marks it as a cache.
        let marked = test.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
        marked.expect("tests are run by cargo, from its target directory").to_owned()
    })
}

/// The module of a standard filter.
#[must_use]
#[track_caller]
pub fn filter(name: &str) -> Vec<u8> {
    module("filters", name)
}

/// The module of a guest in `tests/guests`.
#[must_use]
#[track_caller]
pub fn guest(name: &str) -> Vec<u8> {
    module("guests", name)
}

/// The same guest as a component: what a language without the SDK makes.
#[must_use]
#[track_caller]
pub fn guest_component(name: &str) -> Vec<u8> {
    let component = wit_component::ComponentEncoder::default()
        .module(&guest(name))
        .and_then(|encoder| encoder.validate(true).encode());
    component.unwrap_or_else(|error| panic!("{name} is not a module with metadata: {error:#}"))
}

/// The module of a filter in `examples`.
#[must_use]
#[track_caller]
pub fn example(name: &str) -> Vec<u8> {
    module("examples", name)
}

#[track_caller]
fn module(group: &str, name: &str) -> Vec<u8> {
    let path = target_dir().join(group).join(name).with_extension("wasm");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask filters`", path.display()))
}

/// Where this run's folders are.
fn scratch() -> PathBuf {
    target_dir().join("tmp").join("stories")
}

/// The folder of compiled modules. All stories share it, so that each module is compiled once.
pub(crate) fn state_dir() -> PathBuf {
    scratch().join("state")
}

/// A folder of one story. Removed when dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(scratch().join(name));
        // Of a process of the same number that was killed.
        let _ = fs::remove_dir_all(&folder.0);
        fs::create_dir_all(&folder.0).expect("the target directory can be written to");
        folder
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes all of it look as if it had been written long ago, except what gateways keep.
    pub(crate) fn age(&self) {
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        let mut paths = vec![self.0.clone()];
        while let Some(path) = paths.pop() {
            let inside = fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
            paths.extend(inside.filter(|path| !path.ends_with("state")));
            // Others cannot be opened, or block whoever opens them.
            let is_plain = fs::metadata(&path).is_ok_and(|found| found.is_file() || found.is_dir());
            if is_plain && let Ok(file) = fs::File::open(&path) {
                file.set_modified(long_ago).expect("it is our own");
            }
        }
    }

    /// Writes a file and the folders that it is in; gives its path.
    #[track_caller]
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        let parent = path.parent().expect("a file is in a folder");
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, content));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Writes a file beside what was there and renames it, as one should.
    #[track_caller]
    pub fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        let new = self.write(&format!("{name}.new"), content);
        fs::rename(&new, self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
