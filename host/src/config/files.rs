//! Where the text of the configuration comes from: the disk, or a recording of what was on it when it was good.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// What was read of a configuration: enough to read it again. Secrets, keys and certificates are not in it: they are read
/// from where they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recording {
    /// Files that were read as text, by absolute path.
    pub texts: BTreeMap<PathBuf, Vec<u8>>,
    /// Modules and directories that were there.
    pub others: BTreeSet<PathBuf>,
}

/// Files of the configuration.
#[derive(Debug, Default)]
pub struct Files {
    /// Without one, files are on the disk.
    recorded: Option<Recording>,
    taken: RefCell<Recording>,
    /// What was read when all was good last.
    last: Option<Recording>,
    /// The teams whose routes stay as they were.
    held_back: Vec<String>,
}

impl Files {
    /// Those on the disk.
    #[must_use]
    pub fn on_disk() -> Self {
        Self::default()
    }

    /// Those on the disk, of which parts that are no good may stay as they were when all was good.
    #[must_use]
    pub fn on_disk_after(last: &Recording) -> Self {
        Self { last: Some(last.clone()), ..Self::default() }
    }

    /// The same, where the routes of these teams stay as they were.
    #[must_use]
    pub fn holding_back(self, teams: Vec<String>) -> Self {
        Self { held_back: teams, ..self }
    }

    /// Whether the routes of a team stay as they were.
    pub(super) fn holds_back(&self, team: &str) -> bool {
        self.held_back.iter().any(|held| held == team)
    }

    /// As they were when all was good, if they ever were.
    pub(super) fn last(&self) -> Option<Self> {
        self.last.clone().map(Self::recorded)
    }

    /// Remembers of a directory what others have read of it, and nothing else.
    pub(super) fn take_back(&self, directory: Option<&Path>, others: Self) {
        let Some(directory) = directory.map(absolute) else { return };
        let is_routes = |path: &PathBuf| {
            path.parent() == Some(&directory) && path.to_str().is_some_and(|path| path.ends_with(".routes.toml"))
        };
        let mut taken = self.taken.borrow_mut();
        taken.texts.retain(|path, _| !is_routes(path));
        taken.texts.extend(others.taken().texts.into_iter().filter(|(path, _)| is_routes(path)));
    }

    /// Those of a recording, and no others.
    #[must_use]
    pub fn recorded(recording: Recording) -> Self {
        Self { recorded: Some(recording), ..Self::default() }
    }

    /// What has been read so far.
    #[must_use]
    pub fn taken(self) -> Recording {
        self.taken.into_inner()
    }

    /// The content of a file, unless it is larger than `most`.
    pub(super) fn read(&self, file: &Path, most: usize) -> io::Result<Vec<u8>> {
        let bytes = match &self.recorded {
            Some(recording) => recording.texts.get(&absolute(file)).cloned().ok_or(io::ErrorKind::NotFound)?,
            None => {
                let mut bytes = Vec::new();
                File::open(file)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
                bytes
            }
        };
        if bytes.len() > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.taken.borrow_mut().texts.insert(absolute(file), bytes.clone());
        Ok(bytes)
    }

    /// The paths in a directory.
    pub(super) fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let absolute = absolute(directory);
        let paths = match &self.recorded {
            Some(recording) if recording.others.contains(&absolute) => {
                let all = recording.texts.keys().chain(&recording.others);
                let inside = all.filter(|path| path.parent() == Some(&absolute));
                inside.filter_map(|path| Some(directory.join(path.file_name()?))).collect()
            }
            Some(_) => return Err(io::ErrorKind::NotFound.into()),
            None => fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?,
        };
        self.taken.borrow_mut().others.insert(absolute);
        Ok(paths)
    }

    /// Whether a path is a file. A link that leads nowhere counts as one: whoever named it has a problem.
    pub(super) fn is_file_or_broken(&self, path: &Path) -> bool {
        self.recorded.is_some() || fs::metadata(path).map_or(true, |metadata| metadata.is_file())
    }

    /// Whether a path does not lead out of a directory. A link that leads nowhere does not.
    pub(super) fn is_inside(&self, path: &Path, directory: &Path) -> bool {
        if self.recorded.is_some() {
            return true;
        }
        match (fs::canonicalize(path), fs::canonicalize(directory)) {
            (Ok(path), Ok(directory)) => path.starts_with(directory),
            _ => true,
        }
    }

    /// Whether there is a module at a path.
    pub(super) fn has_module(&self, path: &Path) -> bool {
        let is_there = match &self.recorded {
            Some(recording) => recording.others.contains(&absolute(path)),
            None => path.is_file(),
        };
        if is_there {
            self.note_module(path);
        }
        is_there
    }

    /// Remembers that there is a module at a path.
    pub(super) fn note_module(&self, path: &Path) {
        self.taken.borrow_mut().others.insert(absolute(path));
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
