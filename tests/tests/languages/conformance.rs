//! The same filter in each language comes to the same.

use std::path::Path;

use tollgate_tests::{Folder, RawFilter, target_dir};

use super::{done, examples_conform, filter};

#[test]
fn filters_in_rust_conform() {
    let modules = ["filters/api-key", "filters/headers", "examples/callout-auth"];
    let modules = modules.map(|name| target_dir().join(name).with_extension("wasm").display().to_string());
    done(Path::new("."), &["conformance", &modules[0], &modules[1], &modules[2]]);
}

#[test]
fn the_examples_in_c_conform() {
    examples_conform("c");
}

#[test]
fn what_does_not_conform_is_said_case_by_case() {
    let folder = Folder::new();
    folder.write("api-key.wasm", RawFilter::new(1).build());
    let finished = filter(folder.path(), &["conformance", "api-key.wasm"]);
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(1), "does not conform: api-key.wasm\n"));
    assert!(finished.stdout.contains("FAILED api-key.wasm:"), "{}", finished.stdout);
    assert!(finished.stdout.contains("no key is answered with a challenge"), "{}", finished.stdout);
}

#[test]
fn suites_are_listed_and_written_for_authors_of_sdks() {
    let folder = Folder::new();
    let listed = done(folder.path(), &["conformance"]);
    assert!(listed.contains("api-key        Requests with a known API key go on"), "{listed}");
    done(folder.path(), &["conformance", "--write", "suites"]);
    for line in listed.lines() {
        let name = line.split(' ').next().unwrap();
        assert!(folder.path().join("suites").join(format!("{name}.cases.toml")).exists(), "{name}");
    }
    let finished = filter(folder.path(), &["conformance", "mine.wasm"]);
    assert!(
        finished.stderr.starts_with("mine.wasm: there is no suite \"mine\"; name the module after one"),
        "{finished:?}"
    );
}
