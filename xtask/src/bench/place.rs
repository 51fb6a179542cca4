//! Where things are: the workspace, the bench's folder below `target/`, free ports, installed programs.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Context;

use crate::workspace::Workspace;

/// The workspace; cargo is asked once.
pub(super) fn workspace() -> anyhow::Result<&'static Workspace> {
    static WORKSPACE: OnceLock<Workspace> = OnceLock::new();
    match WORKSPACE.get() {
        Some(known) => Ok(known),
        None => Workspace::own().map(|found| WORKSPACE.get_or_init(|| found)),
    }
}

/// An empty folder `target/bench/NAME`.
pub(super) fn fresh_folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace()?.target_dir.join("bench").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("could not empty {}; remove it by hand", folder.display()))?;
    }
    fs::create_dir_all(&folder)
        .with_context(|| format!("could not make {}; the bench writes below target/", folder.display()))?;
    Ok(folder)
}

/// Writes a file; the error names it.
pub(super) fn write(path: &Path, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    fs::write(path, content).with_context(|| format!("could not write {}; is the disk full?", path.display()))
}

/// A template with each `@name@` replaced.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// Ports on 127.0.0.1 that were free a moment ago, all different.
pub(super) fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// An installed program: from `PATH`, or from the folders of system programs that a user's `PATH` may lack.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Whether the bench runs as root; nginx then changes user unless it is told otherwise.
pub(super) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled() {
        assert_eq!(fill("listen @port@; # @port@ @other@", &[("port", "80")]), "listen 80; # 80 @other@");
    }

    #[test]
    fn ports_differ() {
        let [a, b, c] = free_ports().unwrap();
        assert!(a != b && b != c && a != c);
    }
}
