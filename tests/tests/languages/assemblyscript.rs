//! AssemblyScript: from nothing to a live filter. Its compiler makes small core modules in some seconds.

use std::fs;

use tollgate_tests::{Folder, TestGateway, Upstream};

use super::{built, done, examples_conform, fault_of, filter, repository};

#[test]
fn the_examples_conform() {
    examples_conform("assemblyscript");
}

#[test]
fn a_new_project_is_built_tested_and_live() {
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "assemblyscript"]);
    let mine = folder.path().join("mine");
    let finished = filter(folder.path(), &["build", "mine"]);
    let told = "mine: its packages are not installed; run `npm install` there";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);

    // What `npm install` would download is there already.
    let packages = repository("examples/assemblyscript/node_modules").canonicalize().unwrap();
    std::os::unix::fs::symlink(packages, mine.join("node_modules")).unwrap();
    let told = done(folder.path(), &["build", "mine"]);
    assert!(told.contains("mine 0.1.0: Puts a stamp on every request that has none"), "{told}");
    assert!(told.contains("a core module") && told.contains("has nothing to grant for it"), "{told}");
    assert!(done(&mine, &["test"]).contains("2 passed, 0 failed"));
    let module = fs::read(mine.join("build/mine.wasm")).unwrap();

    // What is thrown says where.
    let source = fs::read_to_string(mine.join("assembly/index.ts")).unwrap();
    let hook = "  onRequest(request: Request): Answer {\n";
    let breaks = "    if (request.field(\"x-stamp\") == \"boom\") throw new Error(\"it is broken\");\n";
    folder.write("mine/assembly/index.ts", source.replace(hook, &format!("{hook}{breaks}")));
    done(folder.path(), &["build", "mine"]);
    let told = fault_of(&mine, "boom");
    assert!(told.contains("it is broken (at assembly/index.ts:18:"), "{told}");

    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).workers(1).module("10-mine", module.clone());
    let gateway = gateway.policy("10-mine", "config = { value = \"new\" }").module("20-own", module);
    let gateway = gateway.policy("20-own", "config = { value = \"other\" }\nisolation = \"exchange\"").start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").echo().field("x-stamp"), Some("new"));
    }
}

/// A body larger than all memory that an instance may have.
#[test]
fn memory_is_given_back_between_hooks() {
    let module = built::example("assemblyscript", "redact");
    let folder = Folder::new();
    let cases = format!(
        "filter = {module:?}\nconfig = {{ words = [\"secret\"] }}\nlimits = {{ cpu = \"100ms\", memory = \"4MiB\" }}\n\
         [[cases]]\nname = \"a\"\nresponse = {{ body = {{ repeat = \"a word and a secret; \", times = 500000 }} }}\n\
         expect = {{ client = {{ body = {{ contains = \"a word and a ***; \" }} }} }}\n"
    );
    folder.write("large.cases.toml", cases);
    assert!(done(folder.path(), &["test", "large.cases.toml"]).contains("1 passed, 0 failed"));
}
