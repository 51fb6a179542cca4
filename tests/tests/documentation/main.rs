//! Every block of code in the documentation is held to what it is: configuration is checked by the gateway, commands are read by the
//! command line, Rust is compiled with the crates' own documentation, other languages by their tools, tutorials are done. What nothing
//! can be said about is marked `text`, and listed here.
#![allow(clippy::unwrap_used, reason = "a story that cannot go on fails")]

mod commands;
mod fences;
mod languages;
mod settings;
mod tutorial;

use std::fs;

use fences::{Fence, all, repository};

/// What is no code: diagrams, and what programs print. How many of them a page may have.
const TEXT: &[(&str, usize)] = &[
    ("ARCHITECTURE.md", 1),
    ("README.md", 1),
    ("docs/catalogue.md", 1),
    ("docs/deploying.md", 2),
    ("docs/developing.md", 1),
    ("docs/scripts.md", 2),
];

/// Pages with Rust, and the file that has rustdoc compile it.
const RUST: &[(&str, &str)] = &[
    ("README.md", "guest-sdk/rust/src/lib.rs"),
    ("docs/tutorial-rust.md", "guest-sdk/rust/src/lib.rs"),
    ("docs/testing-filters.md", "host/src/filter_test/mod.rs"),
];

#[test]
fn every_block_is_of_a_kind_that_is_held_or_is_listed() {
    let known = [
        "toml",
        "sh",
        "console",
        "rust",
        "c",
        "go",
        "python",
        "js",
        "ts",
        "json",
        "wit",
        "cel",
        "rego",
        "assemblyscript",
        "text",
    ];
    let fences = all();
    assert!(fences.len() > 60, "{} blocks", fences.len());
    for Fence { place, kind, .. } in &fences {
        assert!(known.contains(&kind.as_str()), "{place}: a block of {kind:?}; write one of {known:?}");
    }
    let mut texts: Vec<(&str, usize)> = Vec::new();
    for fence in fences.iter().filter(|fence| fence.kind == "text") {
        match texts.iter_mut().find(|(page, _)| *page == fence.page) {
            Some((_, count)) => *count += 1,
            None => texts.push((&fence.page, 1)),
        }
    }
    texts.sort_unstable();
    assert_eq!(texts, TEXT, "what no test holds is listed");
}

#[test]
fn rust_is_compiled_with_the_crates_documentation() {
    for fence in all().iter().filter(|fence| fence.kind == "rust") {
        let compiled = RUST.iter().find(|(page, _)| *page == fence.page);
        let (page, by) = compiled.unwrap_or_else(|| panic!("{}: nothing compiles it", fence.place));
        let source = fs::read_to_string(repository(by)).unwrap();
        assert!(source.contains(&format!("include_str!(\"../../../{page}\")")), "{by} does not have {page}");
        let is_file = fence.words.iter().all(|word| word.starts_with("file="));
        assert!(is_file, "{}: rustdoc would leave it out", fence.place);
    }
}

#[test]
fn json_can_be_read() {
    for fence in all().iter().filter(|fence| fence.kind == "json") {
        serde_json::from_str::<serde_json::Value>(&fence.text)
            .unwrap_or_else(|error| panic!("{}: {error}", fence.place));
    }
}

#[test]
fn the_book_has_every_page_once_and_links_lead_somewhere() {
    let summary = fs::read_to_string(repository("docs/SUMMARY.md")).unwrap();
    let linked = |text: &str| -> Vec<String> {
        let ends = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let files = ends.map(|(target, _)| target.split('#').next().unwrap_or_default().to_owned());
        files.filter(|target| !target.is_empty() && !target.contains("://")).collect()
    };
    let mut pages = linked(&summary);
    pages.push("SUMMARY.md".to_owned());
    pages.sort();
    let entries = fs::read_dir(repository("docs")).unwrap().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    files.retain(|name| name.ends_with(".md"));
    files.sort();
    assert_eq!(pages, files);
    for page in pages {
        let text = fs::read_to_string(repository("docs").join(&page)).unwrap();
        for target in linked(&text) {
            assert!(repository("docs").join(&target).exists(), "docs/{page} leads to {target}, which is not there");
        }
    }
}
