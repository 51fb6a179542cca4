//! The examples of `docs/testing-filters.md` are run as they are written.

use std::fs;

use super::*;
use tollgate_tests::example;

#[test]
fn each_file_of_cases_in_the_documentation_passes() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/testing-filters.md")).unwrap();
    let files: Vec<_> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let files: Vec<_> = files.into_iter().filter(|text| text.contains("[[cases]]")).collect();
    assert!(files.len() >= 4, "the page has examples");
    let folder = Folder::new();
    for name in ["callout-auth", "login-guard", "hello-filter"] {
        folder.write(&format!("{name}.wasm"), example(name));
    }
    for (place, text) in files.iter().enumerate() {
        folder.write(&format!("{place}.cases.toml"), *text);
    }
    let finished = tollgate(&folder, &["test"]);
    assert!(finished.status.success() && finished.stderr.is_empty(), "{}\n{}", finished.stdout, finished.stderr);
}
