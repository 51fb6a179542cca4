//! `tollgate filter new NAME`: the project of a new filter, with everything that it needs to be built offline later.

use std::fs;
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/sdk_files.rs"));

/// Where the template lies among the SDK's files.
const TEMPLATE: &str = "guest-sdk/rust/template/";

/// The SDK's own tests, which only its authors need.
const TESTS: &str = "guest-sdk/rust/tests/";

/// Where a project keeps its copy of the SDK and the interface, in the layout of the repository.
const VENDORED: &str = ".tollgate";

/// Writes the project into a new folder of that name below `parent`, and returns the folder.
///
/// # Errors
/// If the name is not one for a package, the folder exists, or it cannot be written.
pub(super) fn create(name: &str, parent: &Path) -> Result<PathBuf, String> {
    check(name)?;
    let folder = parent.join(name);
    fs::create_dir(&folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{} exists already; choose another name, or remove it", folder.display())
        }
        _ => format!("{}: {error}", folder.display()),
    })?;
    for (path, contents) in SDK_FILES {
        match path.strip_prefix(TEMPLATE) {
            Some(path) => write(&folder.join(in_project(path)), &filled(contents, name))?,
            None if path.starts_with(TESTS) => {}
            None => write(&folder.join(VENDORED).join(path), contents)?,
        }
    }
    Ok(folder)
}

fn check(name: &str) -> Result<(), String> {
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    if begins && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Ok(());
    }
    Err(format!("{name:?} is not a name for a filter; write lower-case letters, digits and -, with a letter first"))
}

/// Files that would be hidden, or mean something in this repository, have another name in the template.
fn in_project(path: &str) -> &str {
    match path {
        "gitignore" => ".gitignore",
        "cargo-config.toml" => ".cargo/config.toml",
        path => path,
    }
}

fn filled(template: &[u8], name: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(template);
    text.replace("{{name}}", name).replace("{{module}}", &name.replace('-', "_")).into_bytes()
}

fn write(path: &Path, contents: &[u8]) -> Result<(), String> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, contents));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is gone after the test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("tollgate-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_project_has_its_name_and_its_own_sdk() {
        let scratch = Scratch::new("filter-new");
        let folder = create("my-filter", &scratch.0).unwrap();
        let read = |path: &str| fs::read_to_string(folder.join(path)).unwrap();
        assert!(read("Cargo.toml").contains("name = \"my-filter\""));
        assert!(read("README.md").contains("my_filter.wasm") && !read("README.md").contains("{{"));
        assert_eq!(read(".gitignore"), "/target\n");
        assert!(read(".cargo/config.toml").contains("stack-size"));
        assert!(read(".tollgate/wit/world.wit").contains("world filter"));
        for file in ["Cargo.toml", "src/lib.rs", "macros/Cargo.toml", "macros/src/lib.rs"] {
            assert!(!read(&format!(".tollgate/guest-sdk/rust/{file}")).is_empty());
        }
        assert!(!folder.join(".tollgate/guest-sdk/rust/template").exists());
    }

    #[test]
    fn what_exists_is_left_alone() {
        let scratch = Scratch::new("filter-new-twice");
        create("twice", &scratch.0).unwrap();
        assert!(create("twice", &scratch.0).unwrap_err().contains("exists already"));
    }

    #[test]
    fn names_are_those_of_packages() {
        let scratch = Scratch::new("filter-new-names");
        for name in ["", "My", "a_b", "-a", "1a", "a/b", "..", "a b"] {
            assert!(create(name, &scratch.0).unwrap_err().contains("is not a name"), "{name}");
        }
    }
}
