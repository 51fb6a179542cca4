//! Rust: cargo builds the project for `wasm32-unknown-unknown`, and the SDK's macro has written the sections already.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Built, Purpose, tool};

const TARGET: &str = "wasm32-unknown-unknown";
/// What differs if somebody wants to look into faults: the lines of the sources are kept, and little is folded together.
const DEBUG: [&str; 6] = [
    "profile.release.debug=\"line-tables-only\"",
    "profile.release.strip=\"none\"",
    "profile.release.opt-level=1",
    "profile.release.lto=\"off\"",
    "profile.release.codegen-units=16",
    "profile.release.incremental=true",
];
const INSTALL: &str = "install Rust from https://rustup.rs";

pub(super) fn build(project: &Path, purpose: Purpose) -> Result<Built, String> {
    check_target(project)?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"]);
    if purpose == Purpose::Debug {
        // In a folder of its own, so that neither build undoes the other's work.
        cargo
            .args(DEBUG.iter().flat_map(|setting| ["--config", setting]))
            .args(["--target-dir", "target/debug-filter"]);
    }
    let messages = tool::run(cargo.current_dir(project), INSTALL)?;
    let mut modules = modules(&messages);
    match (modules.pop(), modules.is_empty()) {
        (Some((name, path)), true) => {
            let module = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(Built { name, module })
        }
        _ => Err(format!(
            "{}: is not the project of one filter; write [lib] crate-type = [\"cdylib\"] into its Cargo.toml, or name the \
             folder of one package",
            project.display()
        )),
    }
}

/// The compiler's own word would be that it cannot find the crate `core`.
fn check_target(project: &Path) -> Result<(), String> {
    let has_flags = ["RUSTFLAGS", "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS"];
    if has_flags.iter().any(|name| std::env::var_os(name).is_some()) {
        return Ok(());
    }
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]).current_dir(project);
    let folder = String::from_utf8_lossy(&tool::run(&mut rustc, INSTALL)?).trim().to_owned();
    match Path::new(&folder).is_dir() {
        true => Ok(()),
        false => Err(format!("the compiler has no standard library for {TARGET}; run `rustup target add {TARGET}`")),
    }
}

/// Names of packages and the modules that were made of them.
fn modules(messages: &[u8]) -> Vec<(String, PathBuf)> {
    let messages = messages.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let made = messages.flat_map(|message| {
        let name = message["target"]["name"].as_str().unwrap_or_default().replace('_', "-");
        let files = message["filenames"].as_array().cloned().unwrap_or_default();
        files.into_iter().filter_map(move |file| Some((name.clone(), PathBuf::from(file.as_str()?))))
    });
    made.filter(|(_, path)| path.extension().is_some_and(|extension| extension == "wasm")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_among_cargo_s_messages() {
        let messages = "{\"target\":{\"name\":\"my_filter\"},\"filenames\":[\"/t/my_filter.wasm\",\"/t/my_filter.d\"]}\n\
            {\"reason\":\"build-finished\"}\nno JSON\n";
        assert_eq!(modules(messages.as_bytes()), [("my-filter".to_owned(), PathBuf::from("/t/my_filter.wasm"))]);
    }
}
