//! Modules of examples, built by `tollgate filter build`. They are kept by all that goes into them: what has not changed is not built again.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use tollgate_tests::target_dir;

use super::{done, repository};

/// What goes into the modules of all languages.
const ALWAYS: [&str; 5] = [
    "wit",
    "host/src/cli/filter_build",
    "tests/peers/requirements.txt",
    "examples/js/package-lock.json",
    "examples/assemblyscript/package-lock.json",
];

/// The path of the module of an example, built if it has to be.
#[track_caller]
pub(super) fn example(language: &str, name: &str) -> String {
    let project = repository("examples").join(language).join(name);
    let mut files = BTreeMap::new();
    for part in
        ALWAYS.iter().map(|part| repository(part)).chain([project.clone(), repository("guest-sdk").join(language)])
    {
        collect(&part, &mut files);
    }
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    let folder = target_dir().join("tmp/examples").join(format!("{language}-{:016x}", hasher.finish()));
    let module = folder.join(name).with_extension("wasm");
    if !module.exists() {
        done(Path::new("."), &["build", &text(&project), "--output", &text(&module)]);
    }
    text(&module)
}

/// Files by their paths, without what building leaves behind.
fn collect(path: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    const LEFT: [&str; 3] = ["build", "node_modules", "__pycache__"];
    if path.is_file() {
        files.insert(text(path), fs::read(path).unwrap());
    } else if !LEFT.iter().any(|name| path.ends_with(name)) {
        fs::read_dir(path).unwrap().flatten().for_each(|entry| collect(&entry.path(), files));
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
