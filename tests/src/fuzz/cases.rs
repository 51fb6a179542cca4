//! Files of cases: cases, or problems that say where they are; and what a capture writes as text is read as the same.

use tollgate::config::cases::CaseFile;
use tollgate::config::quote;

use super::configuration::{check, write};

/// The text of the file.
pub fn run(data: &[u8]) {
    let file = write("api-key.cases.toml", data);
    match CaseFile::load(&file, &["api-key"], None) {
        Ok(file) => assert!(!file.cases.is_empty()),
        Err(problems) => check(&problems),
    }
    let text = String::from_utf8_lossy(data);
    let read: toml::Table = format!("text = {}", quote(&text)).parse().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read["text"].as_str(), Some(&*text));
}

/// Files with many keys.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::texts([
        "filter = \"api-key\"\n[[cases]]\nname = \"a\"\nexpect = { client = { status = 200 } }\n",
        "[defaults]\nrequest = { path = \"/a\", fields = { host = false, x = [\"1\", \"2\"] } }\n[[cases]]\nname = \"b\"\n\
         [cases.request]\nbody = [\"ab\", { hex = \"00ff\" }, { repeat = \"x\", times = 3 }]\n[cases.expect]\nfaults = [\"trap\"]\n",
        "[captured]\nmodule = \"a\"\nhook = \"b\"\nfault = \"c\"\n[[cases]]\nname = \"c\"\nexpect = {}\n[[cases.then]]\nexpect = {}\n",
    ])
}
