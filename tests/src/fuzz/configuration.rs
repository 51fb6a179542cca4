//! Configuration files: a configuration, or problems that say where they are.

use std::cell::OnceCell;
use std::path::PathBuf;

use tollgate::config::{Overrides, Problem, Source, load};

use crate::files::Folder;

/// The text of the file.
pub fn run(data: &[u8]) {
    let file = write("tollgate.toml", data);
    if let Err(problems) = load(&Source::File(file), &Overrides::default(), &["api-key"]) {
        check(&problems);
    }
}

/// Puts a file where it can be read.
pub(super) fn write(name: &str, data: &[u8]) -> PathBuf {
    thread_local!(static FOLDER: OnceCell<Folder> = const { OnceCell::new() });
    FOLDER.with(|folder| folder.get_or_init(Folder::new).write(name, data))
}

/// Each problem says what is wrong.
pub(super) fn check(problems: &[Problem]) {
    assert!(!problems.is_empty(), "rejected without a reason");
    assert!(problems.iter().all(|problem| !problem.message.is_empty()), "{problems:?}");
}

/// Files with many keys.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::texts([
        "[[listeners]]\naddress = \"127.0.0.1:0\"\n[upstreams.a]\nendpoints = [\"a:1\"]\n[[routes]]\nupstream = \"a\"\n",
        "[paths]\nencoded-slash = \"keep\"\nmerge-slashes = false\n[limits]\nheader-bytes = \"64KiB\"\ndrain = \"1s\"\n",
        "[[routes]]\nhosts = [\"*.a\"]\npath = { regex = \"/a/[0-9]+\" }\nheaders = { x = { present = true } }\nupstream = \"b\"\n",
        "[policies.p]\nfilter = \"api-key\"\non-fault = \"bypass\"\n[policies.p.config]\na = [1, { b = 1979-05-27 }]\n",
        "[[routes]]\nredirect = { status = 301, prefix = \"/b\" }\npath = { prefix = \"/a\" }\nretry = { attempts = 3, on = [\"5xx\"] }\n",
        "[upstreams.a]\ndns = { srv = \"_http._tcp.a\" }\nbalance = { hash = \"cookie:c\" }\nhealth = { http = \"/\", expect = [200, \"3xx\"] }\n",
    ])
}
