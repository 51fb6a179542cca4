//! The blocks of code of all pages.

use std::fs;
use std::path::{Path, PathBuf};

/// A block.
pub(crate) struct Fence {
    /// The page, from the root of the repository.
    pub(crate) page: String,
    /// Page and line.
    pub(crate) place: String,
    /// What it is: the first word of its mark. One without is what a shell reads.
    pub(crate) kind: String,
    /// The other words.
    pub(crate) words: Vec<String>,
    pub(crate) text: String,
}

/// A file or a folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Those of all pages that people read.
pub(crate) fn all() -> Vec<Fence> {
    let mut pages: Vec<PathBuf> = Vec::new();
    for folder in ["", "docs", "filters", "examples", "guest-sdk"] {
        collect(&repository(folder), folder.is_empty() || folder == "docs", &mut pages);
    }
    pages.sort();
    pages.iter().flat_map(|page| of(page)).collect()
}

/// Those of one page.
pub(crate) fn of(page: &Path) -> Vec<Fence> {
    let root = repository("").canonicalize().unwrap();
    let whole = page.canonicalize().unwrap();
    let name = whole.strip_prefix(root).unwrap().display().to_string();
    let text = fs::read_to_string(page).unwrap();
    let (mut found, mut open): (Vec<Fence>, Option<Fence>) = (Vec::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(mark)) => {
                let mut words = mark.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned);
                let kind = words.next().unwrap_or_else(|| "sh".to_owned());
                let (page, place) = (name.clone(), format!("{name}:{number}"));
                open = Some(Fence { page, place, kind, words: words.collect(), text: String::new() });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(fence), None) => fence.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{name}: a block is not closed");
    found
}

fn collect(folder: &Path, flat: bool, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() && !flat && !["node_modules", "target", "build"].contains(&name.as_str()) {
            collect(&path, flat, pages);
        } else if name.ends_with(".md") {
            pages.push(path);
        }
    }
}
