//! C, Go, Python, JavaScript, TypeScript and AssemblyScript: their own tools can read them.

use std::process::Command;

use tollgate_tests::{Folder, peer_tool, target_dir};

use super::fences::{Fence, all, repository};

fn each(kinds: &[&str], check: impl Fn(&Folder, &Fence) -> Command) {
    // Files of tutorials are compiled there, with what they need.
    let is_file = |fence: &Fence| fence.words.iter().any(|word| word.starts_with("file="));
    for fence in all().iter().filter(|fence| kinds.contains(&fence.kind.as_str()) && !is_file(fence)) {
        let folder = Folder::new();
        let done = check(&folder, fence).output().unwrap();
        assert!(done.status.success(), "{}: {}", fence.place, String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn c_is_compiled_against_the_sdk() {
    each(&["c"], |folder, fence| {
        let file = folder.write("filter.c", &fence.text);
        let mut compiler = Command::new(peer_tool("python"));
        compiler.args([
            "-m",
            "ziglang",
            "cc",
            "--target=wasm32-freestanding",
            "-std=c11",
            "-ffreestanding",
            "-nostdlib",
        ]);
        compiler.args(["-Wall", "-Wextra", "-Werror", "-c", "-o"]).arg(folder.path().join("filter.o"));
        compiler.arg("-I").arg(repository("guest-sdk/c")).arg(file);
        compiler
    });
}

#[test]
fn go_is_compiled_against_the_sdk() {
    each(&["go"], |folder, fence| {
        let sdk = repository("guest-sdk/go");
        let module =
            format!("module filter\ngo 1.24\nrequire tollgate v0.0.0\nreplace tollgate => {}\n", sdk.display());
        folder.write("go.mod", module);
        folder.write("filter.go", format!("package main\n\nimport \"tollgate\"\n\n{}", fence.text));
        let mut go = Command::new(peer_tool("go"));
        go.args(["vet", "."]).current_dir(folder.path()).env("GOCACHE", target_dir().join("peers/go-build"));
        go
    });
}

/// They are run, too, as far as a module runs when it is imported.
#[test]
fn python_is_imported_with_the_sdk() {
    each(&["python"], |folder, fence| {
        let file = folder.write("app.py", &fence.text);
        let mut python = Command::new(peer_tool("python"));
        python.arg(file).env("PYTHONPATH", repository("guest-sdk/python/src")).env("PYTHONDONTWRITEBYTECODE", "1");
        python
    });
}

#[test]
fn javascript_is_checked_by_node() {
    each(&["js", "ts"], |folder, fence| {
        let file = folder.write(&format!("filter.{}", if fence.kind == "ts" { "mts" } else { "mjs" }), &fence.text);
        let mut node = Command::new(peer_tool("node"));
        node.arg("--check").arg(file);
        node
    });
}

#[test]
fn assemblyscript_is_compiled_against_the_sdk() {
    each(&["assemblyscript"], |folder, fence| {
        folder.write("index.ts", &fence.text);
        let sdk = repository("guest-sdk/assemblyscript");
        std::os::unix::fs::symlink(sdk, folder.path().join("tollgate-filter")).unwrap();
        let mut node = Command::new(peer_tool("node"));
        node.arg(repository("examples/assemblyscript/node_modules/assemblyscript/bin/asc.js"));
        node.args(["index.ts", "--path", ".", "--noEmit", "--use", "abort=tollgateAbort"]).current_dir(folder.path());
        node
    });
}
