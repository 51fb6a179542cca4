//! The history of changes, as it is read again at the start: lines that are none are left out, and it goes on.

use std::cell::OnceCell;
use std::fs;

use tollgate::deploy::{Journal, Record, Stage};

use crate::files::Folder;

/// The file.
pub fn run(data: &[u8]) {
    thread_local!(static FOLDER: OnceCell<Folder> = const { OnceCell::new() });
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(Folder::new);
        let path = folder.write("history.jsonl", data);
        let before = Journal::read(folder.path());
        let journal = Journal::open(folder.path()).unwrap_or_else(|error| panic!("{error}"));
        let newest = journal.newest();
        assert!(newest.len() <= 1_000 && before.ends_with(&newest), "{newest:?}");
        let change = journal.begin();
        assert!(newest.iter().all(|record| record.change <= change), "changes are not counted on");
        journal.record(Record::new(change, Stage::Promote).of("10-key", None, None));
        let after = Journal::read(folder.path());
        assert_eq!(after.len(), before.len() + 1, "what is written after it cannot be read");
        fs::remove_file(path).unwrap_or_else(|error| panic!("{error}"));
    });
}

/// Histories, whole and broken off.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    const LINE: &str = r#"{"at":1764000000000,"change":7,"policy":"10-key","version":"5d0f6a1b22c9","module":"00","stage":"promote","outcome":"done","ms":0.2,"by":"file"}"#;
    let lines = format!("{LINE}\n{LINE}\n");
    let broken_off = format!("{LINE}\n{}", &LINE[..40]);
    let last = LINE.replace("\"change\":7", "\"change\":18446744073709551615");
    super::texts([&lines, &broken_off, "\n\n", &last])
}
