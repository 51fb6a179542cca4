//! Where a project's SDK is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::filter_new::VENDORED;
use crate::cli::language::Language;

/// The SDK that the project has brought along, or that of the repository which it lies in.
pub(super) fn find(project: &Path, language: Language) -> Result<PathBuf, String> {
    let whole = project.canonicalize().map_err(|error| format!("{}: {error}", project.display()))?;
    let own = whole.join(VENDORED).join(language.sdk());
    let around = whole.ancestors().map(|folder| folder.join(language.sdk()));
    std::iter::once(own).chain(around).find(|folder| folder.is_dir()).ok_or_else(|| {
        format!(
            "{}: there is no SDK in {VENDORED}/{}; copy the folder {VENDORED} of a new project (`tollgate filter new`) here",
            project.display(),
            language.sdk()
        )
    })
}

/// Copies the files of a folder and those below it that have this extension.
pub(super) fn copy(from: &Path, to: &Path, extension: &str) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to, extension)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            fs::copy(&path, to)?;
        }
    }
    Ok(())
}
