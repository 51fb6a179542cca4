//! Stories of languages: projects of filters are made, built and tested as their authors do, and the examples of all languages
//! are held to the same cases.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on fails")]

mod assemblyscript;
mod built;
mod c;
mod conformance;
mod dev;
mod go;
mod javascript;
mod python;
mod stored;
mod world;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tollgate_tests::{Binary, Finished, peer_tool, target_dir};

/// A file or a folder of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The tools that the stories have of their own, and a state of their own.
fn environment() -> [(&'static str, String); 4] {
    let tools = peer_tool("python").parent().unwrap().display().to_string();
    let path = format!("{tools}:{}", std::env::var("PATH").unwrap_or_default());
    let compiler = format!("{} -m ziglang cc", peer_tool("python").display());
    let state = target_dir().join("tmp/stories/state").display().to_string();
    let cache = go_cache().display().to_string();
    [("TOLLGATE_CC", compiler), ("XDG_STATE_HOME", state), ("GOCACHE", cache), ("PATH", path)]
}

/// Runs `tollgate filter` with these.
fn filter(folder: &Path, args: &[&str]) -> Finished {
    let environment = environment();
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let args: Vec<&str> = ["filter"].iter().chain(args).copied().collect();
    Binary::finish_with(folder, &environment, &args)
}

/// Where Go keeps its compiled library from one run of the stories to the next.
fn go_cache() -> PathBuf {
    target_dir().join("peers/go-build")
}

/// The same, which has to go well.
#[track_caller]
fn done(folder: &Path, args: &[&str]) -> String {
    let finished = filter(folder, args);
    assert!(finished.status.success(), "{}\n{}", finished.stdout, finished.stderr);
    finished.stdout
}

/// What is told of a request that a new project's filter breaks over, as it does over that stamp.
#[track_caller]
fn fault_of(project: &Path, stamp: &str) -> String {
    let module = format!("build/{}.wasm", project.file_name().unwrap().display());
    let cases = format!(
        "filter = {module:?}\nconfig = {{ value = \"new\" }}\n[[cases]]\nname = \"a\"\n\
         request = {{ fields = {{ x-stamp = {stamp:?} }} }}\nexpect = {{ outcome = \"forwarded\" }}\n"
    );
    std::fs::write(project.join("broken.cases.toml"), cases).unwrap();
    filter(project, &["test", "broken.cases.toml"]).stdout
}

/// What the examples of all languages do.
const EXAMPLES: [&str; 6] = ["api-key", "callout-auth", "counter", "headers", "json-body", "redact"];

/// Holds the examples of a language to the cases that all languages share.
#[track_caller]
fn examples_conform(language: &str) {
    for name in EXAMPLES {
        let module = built::example(language, name);
        let told = done(Path::new("."), &["conformance", &module]);
        assert!(told.ends_with(" passed, 0 failed\n"), "{language}: {told}");
    }
}

/// For stories whose modules take half a minute of a core and some hundred megabytes to be built and compiled: one for each of two cores
/// is enough. Those of a language take turns.
fn one_at_a_time(language: &Mutex<()>) -> MutexGuard<'_, ()> {
    language.lock().unwrap_or_else(PoisonError::into_inner)
}
