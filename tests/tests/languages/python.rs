//! Python. A component takes half a minute of a core to be built and compiled, so there are few of them.

use std::process::Command;

use tollgate_tests::{Folder, TestGateway, Upstream, peer_tool};

use super::{done, example, filter, one_at_a_time};

#[test]
fn the_examples_conform() {
    let _turn = one_at_a_time();
    let folder = Folder::new();
    let module = example("python/api-key", folder.path());
    let told = done(folder.path(), &["conformance", &module]);
    assert!(told.ends_with(" passed, 0 failed\n"), "{told}");
}

/// A new project has a test that runs natively; what it makes of itself is live under the limits that every policy has.
#[test]
fn a_new_project_is_tested_built_and_live() {
    let _turn = one_at_a_time();
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "python"]);
    let mine = folder.path().join("mine");
    let mut unittest = Command::new(peer_tool("python"));
    unittest.args(["-m", "unittest", "discover", "-s", "tests"]).current_dir(&mine);
    let tested = unittest.output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));

    let told = done(folder.path(), &["build", "mine"]);
    assert!(told.contains("imports  none") && told.contains("has nothing to grant for it"), "{told}");
    let upstream = Upstream::start();
    let module = std::fs::read(mine.join("build/mine.wasm")).unwrap();
    let gateway = TestGateway::new().upstream(&upstream).workers(1).module("10-mine", module);
    let gateway = gateway.policy("10-mine", "config = { value = \"new\" }").start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").echo().field("x-stamp"), Some("new"));
    }
}

#[test]
fn an_import_that_there_is_not_is_refused_before_anything_is_built() {
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "python"]);
    folder.write("mine/manifest.json", "{ \"name\": \"mine\", \"version\": \"1\", \"imports\": [\"files\"] }");
    let finished = filter(folder.path(), &["build", "mine"]);
    assert!(
        finished.stderr.contains("there is no interface \"files\"; write some of callout, clock"),
        "{}",
        finished.stderr
    );
}
