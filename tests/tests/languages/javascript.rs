//! JavaScript and TypeScript. A component takes half a minute of a core to be built and compiled, so there are few of them.

use std::fs;

use tollgate_tests::{Folder, TestGateway, Upstream};

use super::{done, example, filter, one_at_a_time, repository};

#[test]
fn the_examples_conform() {
    let _turn = one_at_a_time();
    let folder = Folder::new();
    let module = example("js/api-key", folder.path());
    let told = done(folder.path(), &["conformance", &module]);
    assert!(told.ends_with(" passed, 0 failed\n"), "{told}");
}

#[test]
fn a_new_project_in_typescript_is_built_and_live() {
    let _turn = one_at_a_time();
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "ts"]);
    let mine = folder.path().join("mine");
    let finished = filter(folder.path(), &["build", "mine"]);
    assert!(
        finished.stderr.contains("mine: its packages are not installed; run `npm install` there"),
        "{}",
        finished.stderr
    );

    // What `npm install` would download is there already.
    std::os::unix::fs::symlink(
        repository("examples/js/node_modules").canonicalize().unwrap(),
        mine.join("node_modules"),
    )
    .unwrap();
    let told = done(folder.path(), &["build", "mine"]);
    assert!(told.contains("imports  none") && told.contains("has nothing to grant for it"), "{told}");
    let upstream = Upstream::start();
    let module = fs::read(mine.join("build/mine.wasm")).unwrap();
    let gateway = TestGateway::new().upstream(&upstream).workers(1).module("10-mine", module);
    let gateway = gateway.policy("10-mine", "config = { value = \"new\" }").start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").echo().field("x-stamp"), Some("new"));
    }
}
