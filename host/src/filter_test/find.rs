//! Where cases are.

use std::fs;
use std::path::{Path, PathBuf};

/// How deep folders are looked into.
const DEPTH: usize = 8;

/// The file, or those of the folder and below it, in the order of their names.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    collect(path, DEPTH, &mut found);
    if found.is_empty() {
        return Err(format!(
            "{}: there are no cases; write a file cases.toml or NAME.cases.toml there, or name another folder",
            path.display()
        ));
    }
    let plain = |path: PathBuf| path.strip_prefix(".").map_or_else(|_| path.clone(), Path::to_owned);
    Ok(found.into_iter().map(plain).collect())
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            // Cargo's folder has copies of what was vendored; hidden ones are somebody else's.
            if depth > 0 && !name.starts_with('.') && name != "target" {
                collect(&path, depth - 1, found);
            }
        } else if name == "cases.toml" || name.ends_with(".cases.toml") {
            found.push(path);
        }
    }
}
