//! What is live: what it was read from, and what has to be watched for it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::config::{Config, Recording, Source};
use crate::deploy::Fresh;

/// What is live, as it was read.
pub struct Live {
    /// The configuration.
    pub config: Config,
    /// The texts that it was read from.
    pub recording: Recording,
    /// Versions of policies in it that are not kept yet.
    pub fresh: Vec<Fresh>,
}

impl Live {
    /// Takes what has been read; says whether anything but policies in files of their own is another than before.
    pub(super) fn take(&mut self, config: Config, recording: Recording) -> bool {
        let dir = config.policies_dir.as_ref().and_then(|dir| std::path::absolute(dir).ok());
        let is_other = |one: &Recording, other: &Recording| {
            let mut texts = one.texts.iter().filter(|(path, _)| path.parent() != dir.as_deref());
            texts.any(|(path, text)| other.texts.get(path) != Some(text))
        };
        let changed = is_other(&recording, &self.recording) || is_other(&self.recording, &recording);
        (self.config, self.recording) = (config, recording);
        changed
    }
}

/// What the configuration was read from.
pub(super) struct Files {
    pub(super) files: Vec<PathBuf>,
    /// Directories rather than files are watched: editors replace files. The parent of the policies directory is among
    /// them, as that may be replaced as well.
    pub(super) directories: Vec<PathBuf>,
}

impl Files {
    pub(super) fn of(source: &Source, config: &Config) -> Self {
        let config_file = match source {
            Source::File(path) => Some(path),
            Source::Flags(_) => None,
        };
        let folders = config.catalogue.iter().flat_map(|catalogue| &catalogue.teams);
        let folders = folders.filter_map(|team| team.folder.clone());
        let within = config_file.into_iter().chain(&config.policies_dir).chain(&config.files).map(|path| parent(path));
        let named = config.policies_dir.clone().into_iter().chain(folders).chain(within);
        // Absolute, as the events of a directory and of its parent must name it in the same way.
        let mut directories: Vec<_> = named.map(|path| std::path::absolute(&path).unwrap_or(path)).collect();
        directories.sort();
        directories.dedup();
        Self { files: config.files.clone(), directories }
    }

    pub(super) fn changed_since(&self, moment: SystemTime) -> bool {
        // File systems stamp with the time of the latest timer interrupt.
        let moment = moment - Duration::from_millis(20);
        let changed =
            |path: &PathBuf| std::fs::metadata(path).and_then(|found| found.modified()).is_ok_and(|at| at >= moment);
        self.directories.iter().chain(&self.files).any(changed)
    }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
