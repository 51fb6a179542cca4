//! Who may use whom: the modules of the gateway are held to the table in ARCHITECTURE.md.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those that it may name. All may use `telemetry`, and their own children.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["config", "deploy", "filter_test", "gateway", "handover", "inspect", "manifest", "oci"]),
    ("inspect", &["bundled", "config", "manifest", "oci", "sandbox", "snapshot"]),
    ("filter_test", &["bundled", "chain", "config", "manifest", "message", "sandbox", "snapshot", "store"]),
    (
        "gateway",
        &[
            "admin",
            "bundled",
            "config",
            "deploy",
            "filter_test",
            "listener",
            "pull",
            "reload",
            "sandbox",
            "snapshot",
            "store",
            "tick",
            "upstream",
            "worker",
        ],
    ),
    // The path.
    ("worker", &["connection", "listener", "message", "snapshot"]),
    ("listener", &["config"]),
    ("connection", &["config", "exchange", "framing", "message", "snapshot", "wire"]),
    ("exchange", &["callout", "chain", "framing", "message", "route", "snapshot", "upstream"]),
    ("tick", &["callout", "chain", "message", "sandbox", "snapshot", "upstream"]),
    ("callout", &["message", "sandbox", "upstream"]),
    ("chain", &["message", "sandbox"]),
    ("upstream", &["config", "framing", "message", "wire"]),
    // The ground.
    ("framing", &[]),
    ("wire", &["framing", "message"]),
    ("message", &[]),
    ("route", &["message"]),
    ("manifest", &[]),
    ("oci", &[]),
    ("sandbox", &["manifest", "message", "store"]),
    ("store", &[]),
    // Control.
    ("admin", &["config", "deploy", "listener", "reload", "snapshot"]),
    ("bundled", &[]),
    ("capture", &["chain", "config", "message", "sandbox"]),
    ("config", &["oci", "route"]),
    ("deploy", &["config", "oci", "sandbox"]),
    ("handover", &["listener"]),
    ("pull", &["deploy", "oci", "sandbox"]),
    ("reload", &["bundled", "config", "deploy", "pull", "sandbox", "snapshot"]),
    (
        "snapshot",
        &[
            "bundled", "capture", "chain", "config", "deploy", "framing", "listener", "manifest", "message", "oci",
            "pull", "route", "sandbox", "store", "upstream", "wire",
        ],
    ),
    ("telemetry", &[]),
];

/// What `lib.rs` gives other names to.
const NAMES_AT_THE_ROOT: &[(&str, &str)] = &[("Gateway", "gateway"), ("StartError", "gateway")];

#[test]
fn nobody_looks_up_the_stairs() {
    let mut violations = Vec::new();
    for (module, file, line, used) in uses() {
        let allowed = MAY_USE.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            violations.push(format!("{file}:{line}: the module `{module}` is not in the table"));
            continue;
        };
        if used != module && used != "telemetry" && !allowed.contains(&used.as_str()) {
            violations.push(format!("{file}:{line}: `{module}` may not use `{used}`, only {allowed:?}"));
        }
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn the_table_has_no_circle() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    fn visit<'a>(module: &'a str, way: &mut Vec<&'a str>, allowed: &BTreeMap<&str, &'a [&'a str]>) {
        assert!(!way.contains(&module), "a circle: {way:?} and again {module}");
        way.push(module);
        allowed[module].iter().for_each(|other| visit(other, way, allowed));
        way.pop();
    }
    MAY_USE.iter().for_each(|(module, _)| visit(module, &mut Vec::new(), &allowed));
}

/// Every use of a module by another: who, in which file and line, and whom.
fn uses() -> Vec<(String, String, usize, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src");
    let mut found = Vec::new();
    for path in sources(&root) {
        let file = path.strip_prefix(&root).unwrap().display().to_string();
        let module = file.split(['/', '.']).next().unwrap_or_default().to_owned();
        if module == "lib" {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for (line, used) in modules_in(&code_of(&source), if module == "main" { "tollgate::" } else { "crate::" }) {
            found.push((module.clone(), format!("host/src/{file}"), line, used));
        }
    }
    assert!(found.len() > 50, "the sources of the gateway were not found");
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The source without comments, and without its tests at the end, line by line.
fn code_of(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let without_comment = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    source.lines().map(without_comment).collect()
}

/// The modules named directly behind `root`, each with its line; `crate::{a, b::c}` names two.
fn modules_in(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices(root) {
        let is_whole =
            !code[..start].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':');
        if !is_whole {
            continue;
        }
        let line = 1 + code[..start].matches('\n').count();
        let rest = &code[start + root.len()..];
        for name in names(rest) {
            let module = NAMES_AT_THE_ROOT.iter().find(|(known, _)| *known == name).map_or(name, |(_, module)| module);
            found.push((line, module.to_owned()));
        }
    }
    found
}

fn names(rest: &str) -> Vec<&str> {
    if !rest.starts_with('{') {
        return vec![word(rest)];
    }
    let (mut names, mut depth, mut begins) = (Vec::new(), 0, false);
    for (index, c) in rest.char_indices() {
        match c {
            '{' => {
                depth += 1;
                begins = depth == 1;
            }
            '}' => depth -= 1,
            ',' => begins = depth == 1,
            c if begins && !c.is_whitespace() => {
                names.push(word(&rest[index..]));
                begins = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn word(text: &str) -> &str {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default()
}

#[test]
fn names_are_read_from_paths_and_lists() {
    let read = |code: &str| modules_in(&code_of(code), "crate::").into_iter().map(|(_, name)| name).collect::<Vec<_>>();
    assert_eq!(read("use crate::message::Body;"), ["message"]);
    assert_eq!(read("use crate::{\n    chain::{Run, Step},\n    message::Body,\n};"), ["chain", "message"]);
    assert_eq!(read("let x = crate::snapshot::bind_problem(a); // crate::admin"), ["snapshot"]);
    assert_eq!(read("use crate::Gateway;\nuse other_crate::config;"), ["gateway"]);
}
