//! Configuration files: a configuration, or problems that say where they are.

use std::cell::OnceCell;

use tollgate::config::{Overrides, Source, load};

use crate::files::Folder;

thread_local!(static FOLDER: OnceCell<Folder> = const { OnceCell::new() });

pub(super) fn run(data: &[u8]) {
    FOLDER.with(|folder| {
        let file = folder.get_or_init(Folder::new).write("tollgate.toml", data);
        if let Err(problems) = load(&Source::File(file), &Overrides::default(), &["api-key"]) {
            assert!(!problems.is_empty(), "rejected without a reason");
            assert!(problems.iter().all(|problem| !problem.message.is_empty()), "{problems:?}");
        }
    });
}
