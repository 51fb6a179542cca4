//! Which Debian mirrors to ask: those that this machine's apt is configured for, then Debian's own.

use std::fs;
use std::path::PathBuf;

const EVERYBODYS: &str = "http://deb.debian.org/debian";

/// The base addresses of mirrors, best first.
pub(super) fn all() -> Vec<String> {
    let mut mirrors: Vec<String> = Vec::new();
    for text in source_files().into_iter().filter_map(|path| fs::read_to_string(path).ok()) {
        mirrors.extend(addresses(&text).map(str::to_owned));
    }
    mirrors.push(EVERYBODYS.to_owned());
    let mut seen = Vec::new();
    mirrors.retain(|mirror| {
        !seen.contains(mirror) && {
            seen.push(mirror.clone());
            true
        }
    });
    mirrors
}

fn source_files() -> Vec<PathBuf> {
    let listed = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let mut files: Vec<_> = listed.map(|entry| entry.path()).collect();
    files.sort();
    files.insert(0, PathBuf::from("/etc/apt/sources.list"));
    files
}

/// The addresses in a `.list` or `.sources` file that are Debian's main archive. Its pool holds all suites, so it does
/// not matter which of them the file names.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).filter_map(|word| {
        let base = word.trim_end_matches('/');
        let is_web = base.starts_with("http://") || base.starts_with("https://");
        (is_web && base.ends_with("/debian")).then_some(base)
    })
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn takes_the_main_archive_from_both_forms_of_sources() {
        let text = "\
            # deb http://old.example/debian bookworm main\n\
            deb [signed-by=/usr/share/keyrings/k.gpg] https://mirror.example/debian/ trixie main\n\
            deb http://mirror.example/debian-security trixie-security main\n\
            Types: deb\n\
            URIs: http://a.example/debian http://a.example/ubuntu\n";
        assert_eq!(addresses(text).collect::<Vec<_>>(), ["https://mirror.example/debian", "http://a.example/debian"]);
    }
}
