//! Bundles: image layouts as directories or tar files, for machines that no registry can be reached from.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::manifest::{Index, MANIFEST, REF_NAME};
use super::{Descriptor, Digest, Error, MAX_DOCUMENT, MAX_MODULE};

/// The file that says what a directory is.
const MARK: &str = "oci-layout";
const MARK_CONTENT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX: &str = "index.json";
/// The most that is read of a tar file: its entries and their bytes.
const MAX_ENTRIES: usize = 10_000;
const MAX_TAR: u64 = 256 << 20;

/// A bundle.
#[derive(Debug)]
pub(super) struct Layout {
    path: PathBuf,
    /// What is in it, if it is a tar file.
    tar: Option<BTreeMap<String, Vec<u8>>>,
}

impl Layout {
    /// A bundle that is there.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let found = std::fs::metadata(path).map_err(|error| Error::file(path, format!("cannot be read: {error}")))?;
        let tar = if found.is_dir() { None } else { Some(read_tar(path)?) };
        let layout = Self { path: path.to_owned(), tar };
        let mark = layout.read(MARK, MAX_DOCUMENT)?;
        match mark.is_some_and(|mark| mark.windows(18).any(|part| part == b"imageLayoutVersion")) {
            true => Ok(layout),
            false => Err(Error::file(path, "is no bundle: it has no file oci-layout")),
        }
    }

    /// As `open`; one that is not there is made: a tar file if its name ends in `.tar`.
    pub(super) fn open_or_make(path: &Path) -> Result<Self, Error> {
        if path.exists() && !is_empty(path) {
            return Self::open(path);
        }
        let tar = path.extension().is_some_and(|extension| extension == "tar").then(BTreeMap::new);
        let mut layout = Self { path: path.to_owned(), tar };
        layout.write(MARK, MARK_CONTENT.as_bytes())?;
        Ok(layout)
    }

    pub(super) fn find(&self, tag: &str) -> Result<Digest, Error> {
        let index = self.index()?;
        let mut found = index
            .manifests
            .iter()
            .rev()
            .filter(|manifest| manifest.annotations.get(REF_NAME).is_some_and(|name| name == tag));
        found.next().map(|manifest| manifest.digest).ok_or_else(|| self.absent(tag))
    }

    pub(super) fn tags(&self) -> Result<Vec<String>, Error> {
        let index = self.index()?;
        Ok(index.manifests.iter().filter_map(|manifest| manifest.annotations.get(REF_NAME).cloned()).collect())
    }

    /// Content, if it has that digest.
    pub(super) fn content(&self, digest: &Digest, most: u64) -> Result<Vec<u8>, Error> {
        let content = self.read(&place(digest), most)?.ok_or_else(|| self.absent(&digest.to_string()))?;
        match Digest::of(&content) == *digest {
            true => Ok(content),
            false => Err(Error::file(&self.path, format!("{digest} in it is damaged"))),
        }
    }

    pub(super) fn put(&mut self, content: &[u8]) -> Result<(), Error> {
        self.write(&place(&Digest::of(content)), content)
    }

    /// Puts a manifest there, in the place of another with that tag.
    pub(super) fn put_manifest(&mut self, manifest: &[u8], tag: Option<&str>) -> Result<(), Error> {
        self.put(manifest)?;
        let mut index = self.index()?;
        let mut descriptor = Descriptor::of(MANIFEST, manifest);
        index.manifests.retain(|known| match tag {
            Some(tag) => known.annotations.get(REF_NAME).is_none_or(|name| name != tag),
            None => known.digest != descriptor.digest,
        });
        descriptor.annotations.extend(tag.map(|tag| (REF_NAME.to_owned(), tag.to_owned())));
        index.manifests.push(descriptor);
        let json = serde_json::to_vec(&index).map_err(|error| Error::file(&self.path, error))?;
        self.write(INDEX, &json)?;
        self.save()
    }

    fn index(&self) -> Result<Index, Error> {
        let Some(json) = self.read(INDEX, MAX_DOCUMENT)? else { return Ok(Index::default()) };
        serde_json::from_slice(&json)
            .map_err(|error| Error::file(&self.path.join(INDEX), format!("cannot be read: {error}")))
    }

    fn absent(&self, what: &str) -> Error {
        Error::NotFound { server: self.path.display().to_string(), what: what.to_owned() }
    }

    fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        if let Some(files) = &self.tar {
            return Ok(files.get(name).filter(|content| content.len() as u64 <= most).cloned());
        }
        let path = self.path.join(name);
        let unreadable = |error: std::io::Error| Error::file(&path, format!("cannot be read: {error}"));
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let mut content = Vec::new();
        file.take(most + 1).read_to_end(&mut content).map_err(unreadable)?;
        match content.len() as u64 <= most {
            true => Ok(Some(content)),
            false => Err(Error::file(&path, format!("has more than {most} bytes"))),
        }
    }

    fn write(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        if let Some(files) = &mut self.tar {
            files.insert(name.to_owned(), content.to_vec());
            return Ok(());
        }
        replace(&self.path.join(name), content)
    }

    fn save(&self) -> Result<(), Error> {
        let Some(files) = &self.tar else { return Ok(()) };
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            let added = builder.append_data(&mut header, name, content.as_slice());
            added.map_err(|error| Error::file(&self.path, error))?;
        }
        let content = builder.into_inner().map_err(|error| Error::file(&self.path, error))?;
        replace(&self.path, &content)
    }
}

fn place(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.digits())
}

/// Whoever reads at the same time sees the file as a whole, before or after.
fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::file(path, format!("cannot be written: {error}"));
    let folder = path.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    std::fs::write(&beside, content).and_then(|()| std::fs::rename(&beside, path)).map_err(failed)
}

fn is_empty(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// The files of a layout in a tar file. Names are only compared: none becomes a path.
fn read_tar(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let unreadable = |error: std::io::Error| Error::file(path, format!("cannot be read: {error}"));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut archive = tar::Archive::new(file.take(MAX_TAR));
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(unreadable)?.take(MAX_ENTRIES) {
        let entry = entry.map_err(unreadable)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        let is_wanted = name == MARK || name == INDEX || name.starts_with("blobs/sha256/");
        if !is_wanted || !entry.header().entry_type().is_file() {
            continue;
        }
        let mut content = Vec::new();
        entry.take(MAX_MODULE + 1).read_to_end(&mut content).map_err(unreadable)?;
        files.insert(name, content);
    }
    Ok(files)
}
