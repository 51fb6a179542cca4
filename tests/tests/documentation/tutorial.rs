//! The tutorial of C is done as it is written: its files are written, its commands run.

use std::process::Command;

use tollgate_tests::{Binary, Folder, peer_tool, target_dir};

use super::fences::{of, repository};

#[test]
fn the_tutorial_of_c_leads_to_a_module_that_passes() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(Binary::file(), folder.path().join("bin/tollgate")).unwrap();
    let path = format!("{}:{}", folder.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut place = folder.path().to_owned();
    let mut told = String::new();
    for fence in of(&repository("docs/tutorial-c.md")) {
        if let Some(file) = fence.words.iter().find_map(|word| word.strip_prefix("file=")) {
            std::fs::write(place.join(file), &fence.text).unwrap();
        } else if fence.kind == "sh" && !fence.words.iter().any(|word| word == "noexec") {
            let mut shell = Command::new("bash");
            shell.args(["-e", "-c", &format!("{}\npwd >&2", fence.text)]).current_dir(&place).env("PATH", &path);
            shell.env("TOLLGATE_CC", format!("{} -m ziglang cc", peer_tool("python").display()));
            shell.env("XDG_STATE_HOME", target_dir().join("tmp/stories/state"));
            let done = shell.output().unwrap();
            let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
            assert!(done.status.success(), "{}: {out}{error}", fence.place);
            place = error.trim_end().lines().last().unwrap().into();
            told += &out;
        }
    }
    assert!(told.ends_with("2 passed, 0 failed\n"), "{told}");
}
