//! `tollgate filter new NAME`: the project of a new filter, with everything that it needs to be built offline later.

use std::fs;
use std::path::{Path, PathBuf};

use super::language::Language;

include!(concat!(env!("OUT_DIR"), "/sdk_files.rs"));

/// What of an SDK a project does not get: templates, and the SDK's own tests, which only its authors need.
const LEFT_OUT: [&str; 3] = ["template/", "template-ts/", "tests/"];

/// The interface, which every SDK comes with.
const INTERFACE: &str = "wit/";

/// Where a project keeps its copy of the SDK and the interface, in the layout of the repository.
pub(super) const VENDORED: &str = ".tollgate";

/// The files of a folder of `guest-sdk/`, by their names in it.
pub(super) fn files_in(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    SDK_FILES.iter().filter_map(move |(path, contents)| Some((path.strip_prefix(folder)?, *contents)))
}

/// Writes the project into a new folder of that name below `parent`, and returns the folder.
///
/// # Errors
/// If the name is not one for a package, the folder exists, or it cannot be written.
pub(super) fn create(name: &str, language: Language, parent: &Path) -> Result<PathBuf, String> {
    check(name)?;
    let folder = parent.join(name);
    fs::create_dir(&folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{} exists already; choose another name, or remove it", folder.display())
        }
        _ => format!("{}: {error}", folder.display()),
    })?;
    for (path, contents) in SDK_FILES {
        let own = path.strip_prefix(language.sdk());
        if let Some(path) = own.and_then(|path| path.strip_prefix(language.template())) {
            write(&folder.join(in_project(path)), &filled(contents, name))?;
        } else if path.starts_with(INTERFACE)
            || own.is_some_and(|path| !LEFT_OUT.iter().any(|part| path.starts_with(part)))
        {
            write(&folder.join(VENDORED).join(path), contents)?;
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
        "gomod" => "go.mod",
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
        let folder = create("my-filter", Language::Rust, &scratch.0).unwrap();
        let read = |path: &str| fs::read_to_string(folder.join(path)).unwrap();
        assert!(read("Cargo.toml").contains("name = \"my-filter\""));
        assert!(read("README.md").contains("build/my-filter.wasm") && !read("README.md").contains("{{"));
        assert_eq!(read(".gitignore"), "/target\n/build\n");
        assert!(read(".cargo/config.toml").contains("stack-size"));
        assert!(read(".tollgate/wit/world.wit").contains("world filter"));
        for file in ["Cargo.toml", "src/lib.rs", "macros/Cargo.toml", "macros/src/lib.rs"] {
            assert!(!read(&format!(".tollgate/guest-sdk/rust/{file}")).is_empty());
        }
        assert!(!folder.join(".tollgate/guest-sdk/rust/template").exists());
    }

    #[test]
    fn each_language_has_a_project_of_its_own() {
        let scratch = Scratch::new("filter-new-languages");
        for (language, source, sdk) in [
            (Language::C, "src/filter.c", "tollgate.h"),
            (Language::Python, "src/app.py", "src/tollgate_entry.py"),
            (Language::Js, "src/filter.js", "src/entry.js"),
            (Language::Ts, "src/filter.ts", "src/index.d.ts"),
            (Language::Go, "filter.go", "hooks_wasip1.go"),
            (Language::AssemblyScript, "assembly/index.ts", "hooks.ts"),
        ] {
            let folder = create("mine", language, &scratch.0).unwrap();
            let read = |path: &str| fs::read_to_string(folder.join(path)).unwrap_or_default();
            assert!(read("manifest.json").contains("\"name\": \"mine\""), "{language:?}");
            assert!(read("README.md").contains("tollgate filter build") && !read("README.md").contains("{{"));
            assert!(read("cases.toml").contains("build/mine.wasm") && !read(source).is_empty());
            assert!(!read(&format!(".tollgate/{}{sdk}", language.sdk())).is_empty(), "{language:?}");
            assert!(!folder.join(".tollgate/guest-sdk/rust").exists(), "{language:?}");
            assert_eq!(Language::of(&folder), Ok(language));
            fs::remove_dir_all(folder).unwrap();
        }
        assert!(Language::of(&scratch.0).unwrap_err().contains("no filter project"));
    }

    #[test]
    fn what_exists_is_left_alone() {
        let scratch = Scratch::new("filter-new-twice");
        create("twice", Language::Rust, &scratch.0).unwrap();
        assert!(create("twice", Language::Rust, &scratch.0).unwrap_err().contains("exists already"));
    }

    #[test]
    fn names_are_those_of_packages() {
        let scratch = Scratch::new("filter-new-names");
        for name in ["", "My", "a_b", "-a", "1a", "a/b", "..", "a b"] {
            assert!(create(name, Language::Rust, &scratch.0).unwrap_err().contains("is not a name"), "{name}");
        }
    }
}
