//! The tutorials are done as they are written: their files are written, their commands run, and what comes out is live. What would be
//! downloaded is there already.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tollgate_tests::{Binary, Folder, TestGateway, Upstream, peer_tool, target_dir};

use super::fences::{Fence, of, repository};

#[test]
fn that_of_c_leads_to_a_filter_that_is_live() {
    follow("c");
}

#[test]
fn that_of_go_leads_to_a_filter_that_is_live() {
    follow("go");
}

#[test]
fn that_of_javascript_leads_to_a_filter_that_is_live() {
    follow("javascript");
}

#[test]
fn that_of_python_leads_to_a_filter_that_is_live() {
    follow("python");
}

#[test]
fn that_of_rust_leads_to_a_filter_that_is_live() {
    follow("rust");
}

/// Does what the tutorial of a language says.
#[track_caller]
fn follow(language: &str) {
    let mut author = Author::new();
    let mut told = String::new();
    for fence in of(&repository("docs").join(format!("tutorial-{language}.md"))) {
        if let Some(file) = fence.words.iter().find_map(|word| word.strip_prefix("file=")) {
            fs::write(author.place.join(file), &fence.text).unwrap();
        } else if fence.kind == "sh" && !fence.words.iter().any(|word| word == "noexec") {
            told += &author.does(&fence);
        }
    }
    assert!(told.ends_with("2 passed, 0 failed\n"), "{told}");
    let module = fs::read(author.place.join("build/drafts.wasm")).unwrap();
    let upstream = Upstream::start();
    let gateway = TestGateway::new().upstream(&upstream).workers(1).module("10-drafts", module);
    let gateway = gateway.policy("10-drafts", "config = { prefix = \"/drafts/\" }").start();
    assert_eq!((gateway.get("/drafts/1").status, gateway.get("/pages/1").status), (404, 200));
}

/// Somebody with the program and the tools of all languages.
struct Author {
    folder: Folder,
    /// Where their shell is.
    place: PathBuf,
}

impl Author {
    fn new() -> Self {
        let folder = Folder::new();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(Binary::file(), bin.join("tollgate")).unwrap();
        let packages = repository("examples/js/node_modules").canonicalize().unwrap();
        let npm = format!(
            "#!/bin/bash -e\n\
             if [ \"$1\" != install ]; then exec {npm} \"$@\"; fi\n\
             mkdir node_modules\n\
             ln -s {packages}/* \"$PWD/.tollgate/guest-sdk/js\" node_modules\n\
             mv node_modules/js node_modules/tollgate-filter\n",
            npm = peer_tool("npm").display(),
            packages = packages.display(),
        );
        fs::write(bin.join("npm"), npm).unwrap();
        fs::set_permissions(bin.join("npm"), fs::Permissions::from_mode(0o755)).unwrap();
        let place = folder.path().to_owned();
        Self { folder, place }
    }

    /// Runs commands, after which the shell is where they have left it; gives what they have written.
    #[track_caller]
    fn does(&mut self, fence: &Fence) -> String {
        let bin = self.folder.path().join("bin");
        let tools = peer_tool("python").parent().unwrap().to_owned();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("bash");
        shell.args(["-e", "-c", &format!("{}\npwd >&2", fence.text)]).current_dir(&self.place);
        shell.env("PATH", format!("{}:{}:{path}", bin.display(), tools.display()));
        shell.env("TOLLGATE_CC", format!("{} -m ziglang cc", peer_tool("python").display()));
        shell.env("XDG_STATE_HOME", target_dir().join("tmp/stories/state"));
        shell.env("GOCACHE", target_dir().join("peers/go-build"));
        // What another story builds of the same crates is used again.
        shell
            .env("CARGO_TARGET_DIR", target_dir().join("tmp/new-filter/my-filter/target"))
            .env("CARGO_NET_OFFLINE", "true");
        let done = shell.output().unwrap();
        let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{}: {out}{error}", fence.place);
        self.place = error.trim_end().lines().last().unwrap().into();
        use_known_versions(&self.place);
        out.into_owned()
    }
}

/// A new project in Rust gets the versions that this workspace has been built with, which are here already.
fn use_known_versions(project: &Path) {
    let lock = project.join("Cargo.lock");
    if project.join("Cargo.toml").exists() && !lock.exists() {
        fs::copy(repository("Cargo.lock"), lock).unwrap();
    }
}
