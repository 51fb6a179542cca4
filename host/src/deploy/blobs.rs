//! Content by its digest: modules, and texts of the configuration.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::disk;
use crate::sandbox::{Content, Digest};

/// What nobody refers to is kept for that long: another process may be about to, while it takes over from this one.
const GRACE: Duration = Duration::from_secs(600);

/// A folder of files, each named by the SHA-256 digest of its content.
#[derive(Clone, Debug)]
pub(super) struct Blobs(PathBuf);

impl Blobs {
    /// Below a folder that is for this user alone.
    pub(super) fn open(home: &Path) -> io::Result<Self> {
        let folder = home.join("content");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }

    /// Keeps content; gives its name.
    pub(super) fn put(&self, content: &[u8]) -> io::Result<String> {
        self.put_known(content, Digest::of(content))
    }

    /// As `put`, of content whose digest is known.
    pub(super) fn put_known(&self, content: &[u8], digest: Digest) -> io::Result<String> {
        let name = digest.to_string();
        let path = self.0.join(&name);
        if !std::fs::metadata(&path).is_ok_and(|found| found.len() == content.len() as u64) {
            disk::replace(&path, content)?;
        }
        Ok(name)
    }

    /// The content of that name, if it is what it was.
    pub(super) fn get(&self, name: &str) -> io::Result<Content> {
        if !is_digest(name) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is named by no digest"));
        }
        let content = Content::from(std::fs::read(self.0.join(name))?);
        match content.digest().to_string() == name {
            true => Ok(content),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, "the content is damaged")),
        }
    }

    /// How large the content of that name is, in bytes.
    pub(super) fn size(&self, name: &str) -> u64 {
        let found = is_digest(name).then(|| std::fs::metadata(self.0.join(name)).ok()).flatten();
        found.map_or(0, |found| found.len())
    }

    /// Removes what is not among these and is not new.
    pub(super) fn keep(&self, wanted: &BTreeSet<String>) {
        for entry in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let age = entry.metadata().and_then(|found| found.modified()).ok();
            let age = age.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default();
            // What a crash has left half written is among them.
            if !wanted.contains(&name) && age > GRACE {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// Whether it is the name of content, and not of something elsewhere.
fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|digit| digit.is_ascii_hexdigit())
}
