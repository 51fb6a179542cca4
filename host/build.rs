//! Puts two sets of files into the binary: the standard filters that `cargo xtask filters` built, and the SDK with the
//! interface, which `tollgate filter new` writes beside a new filter.

use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders that tools leave behind in an SDK.
const LEFT_BY_TOOLS: [&str; 3] = ["target", "node_modules", "__pycache__"];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?).join("..");
    let root = root.canonicalize()?;
    write_if_changed(&out.join("bundled.rs"), &table("BUNDLED", &bundled(&out, &root)?)?)?;
    write_if_changed(&out.join("sdk_files.rs"), &table("SDK_FILES", &sdk_files(&root)?)?)?;
    Ok(())
}

/// The standard filters by name.
fn bundled(out: &Path, root: &Path) -> Result<Vec<(String, PathBuf)>> {
    println!("cargo::rerun-if-env-changed=TOLLGATE_FILTERS_DIR");
    let folder = match env::var_os("TOLLGATE_FILTERS_DIR") {
        Some(folder) => {
            PathBuf::from(folder).canonicalize().map_err(|error| format!("TOLLGATE_FILTERS_DIR: {error}"))?
        }
        None => target_dir(out).unwrap_or_else(|| root.join("target")).join("filters"),
    };
    // Cargo would run this script again and again for a folder that does not exist.
    fs::create_dir_all(&folder)?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut filters = Vec::new();
    for path in entries(&folder)? {
        if let (Some(name), Some("wasm")) = (utf8(path.file_stem()), utf8(path.extension())) {
            filters.push((name.to_owned(), path.clone()));
        }
    }
    if filters.is_empty() {
        println!("cargo::warning=no standard filters in {}: run `cargo xtask build` to bundle them", folder.display());
    }
    Ok(filters)
}

/// The target directory, wherever it was put: cargo marks it as a cache, and `OUT_DIR` lies in it.
fn target_dir(out: &Path) -> Option<PathBuf> {
    out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists()).map(Path::to_owned)
}

/// The interface and the SDKs, by their names in the repository.
fn sdk_files(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for folder in ["wit", "guest-sdk"] {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        collect(&root.join(folder), &mut files)?;
    }
    let mut named = Vec::new();
    for path in files {
        let name = path.strip_prefix(root)?.to_str().ok_or("a file of the SDK has a name that is not UTF-8")?;
        named.push((name.to_owned(), path.clone()));
    }
    named.sort();
    Ok(named)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for path in entries(folder)? {
        if path.is_file() {
            files.push(path);
        } else if !LEFT_BY_TOOLS.iter().any(|name| path.ends_with(name)) {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// What lies in a folder, in the order of names; hidden files are editors' and half-written ones.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn table(name: &str, files: &[(String, PathBuf)]) -> Result<String> {
    let mut text = format!(
        "/// Name and contents of each file, in the order of names.\npub(crate) const {name}: &[(&str, &[u8])] = &[\n"
    );
    for (name, path) in files {
        let path = path.to_str().ok_or("a path that is not UTF-8 cannot be bundled")?;
        writeln!(text, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    text.push_str("];\n");
    Ok(text)
}

/// An unchanged file keeps its time stamp.
fn write_if_changed(path: &Path, text: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text)
}

fn utf8(text: Option<&std::ffi::OsStr>) -> Option<&str> {
    text?.to_str()
}
