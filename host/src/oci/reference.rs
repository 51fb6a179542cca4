//! Names of filters: `oci://HOST/REPOSITORY:TAG@DIGEST` in a registry, `oci:PATH:TAG@DIGEST` in a bundle.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use super::Digest;

/// The longest reference that is read.
const MAX_LENGTH: usize = 1024;

/// Where a filter is, and which.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The repository.
    pub place: Place,
    /// A name that may come to mean something else.
    pub tag: Option<String>,
    /// What it is, whatever the tag says.
    pub digest: Option<Digest>,
}

/// Where there are filters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// In a registry.
    Registry {
        /// The host, with a port if there is one.
        host: String,
        /// The path there.
        repository: String,
    },
    /// In a bundle: an image layout, as a directory or as a tar file.
    Bundle(PathBuf),
}

impl Reference {
    /// Reads one. Without a scheme it is one of a registry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err("is too long for a reference".to_owned());
        }
        match (text.strip_prefix("oci://"), text.strip_prefix("oci:")) {
            (Some(rest), _) => Self::of_registry(rest),
            (None, Some(rest)) => Self::of_bundle(rest),
            (None, None) => Self::of_registry(text),
        }
    }

    /// Whether a text is meant as one, rather than as the name or the path of a module.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("oci:")
    }

    fn of_registry(text: &str) -> Result<Self, String> {
        let (rest, digest) = split_digest(text)?;
        let (host, path) = rest.split_once('/').ok_or("names no registry; write HOST/REPOSITORY:TAG")?;
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        check_host(host)?;
        check_repository(repository)?;
        tag.map_or(Ok(()), check_tag)?;
        let place = Place::Registry { host: host.to_owned(), repository: repository.to_owned() };
        Ok(Self { place, tag: tag.map(ToOwned::to_owned), digest })
    }

    fn of_bundle(text: &str) -> Result<Self, String> {
        let (rest, digest) = split_digest(text)?;
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        tag.map_or(Ok(()), check_tag)?;
        if path.is_empty() || path.starts_with("//") || path.contains('\0') {
            return Err("names no bundle; write oci:PATH:TAG".to_owned());
        }
        Ok(Self { place: Place::Bundle(PathBuf::from(path)), tag: tag.map(ToOwned::to_owned), digest })
    }

    /// The same with the path of a bundle below a folder, unless it is absolute, and without detours.
    #[must_use]
    pub fn below(self, folder: &Path) -> Self {
        match self.place {
            Place::Bundle(path) => Self { place: Place::Bundle(plain_path(&folder.join(path))), ..self },
            Place::Registry { .. } => self,
        }
    }

    /// Whether it may come to mean something else.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.digest.is_none()
    }

    /// The last part of the repository's name, or of the bundle's.
    #[must_use]
    pub fn short_name(&self) -> &str {
        match &self.place {
            Place::Registry { repository, .. } => repository.rsplit('/').next().unwrap_or(repository),
            Place::Bundle(path) => path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("filter"),
        }
    }

    /// The file or directory that it is in, if that is on this machine.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Bundle(path) => Some(path),
            Place::Registry { .. } => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Registry { .. } => write!(f, "oci://{}", self.place)?,
            Place::Bundle(_) => write!(f, "{}", self.place)?,
        }
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

/// As trust is written for it: without a scheme for a registry, with one for a bundle.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { host, repository } => write!(f, "{host}/{repository}"),
            Self::Bundle(path) => write!(f, "oci:{}", path.display()),
        }
    }
}

/// A path without what leads out of folders again, as far as its text says.
#[must_use]
pub fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            Component::ParentDir if plain.has_root() => {}
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

fn split_digest(text: &str) -> Result<(&str, Option<Digest>), String> {
    match text.rsplit_once('@') {
        Some((rest, digest)) => Ok((rest, Some(digest.parse()?))),
        None => Ok((text, None)),
    }
}

/// Without a dot, a port or the name `localhost` it would be a part of a repository elsewhere.
fn check_host(host: &str) -> Result<(), String> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_address = name.starts_with('[') && name.ends_with(']');
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let inner = name.trim_start_matches('[').trim_end_matches(']');
    let is_good = if is_address { inner.parse::<std::net::Ipv6Addr>().is_ok() } else { is_name };
    let is_whole = is_address || port.is_some() || name.contains('.') || name == "localhost";
    match is_good && is_whole && port.is_none_or(|port| port.parse::<u16>().is_ok()) {
        true => Ok(()),
        false => Err(format!("{host:?} is no registry; write its host, such as ghcr.io or localhost:5000")),
    }
}

/// As the distribution specification has it.
fn check_repository(repository: &str) -> Result<(), String> {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_part = |part: &str| {
        let bytes = part.as_bytes();
        let plain = bytes.iter().all(|byte| is_end(Some(byte)) || matches!(byte, b'.' | b'_' | b'-'));
        plain && is_end(bytes.first()) && is_end(bytes.last()) && !part.contains("..")
    };
    match repository.len() <= 255 && repository.split('/').all(is_part) {
        true => Ok(()),
        false => Err(format!(
            "{repository:?} is no repository; write lower-case letters, digits and . _ - in parts between slashes"
        )),
    }
}

fn check_tag(tag: &str) -> Result<(), String> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first = tag.bytes().next().is_some_and(is_word);
    match first && tag.len() <= 128 && tag.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-')) {
        true => Ok(()),
        false => Err(format!("{tag:?} is no tag; write letters, digits and . _ -, 128 at most")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn a_reference_is_read_and_written_again() {
        let all = [
            "oci://ghcr.io/acme/filters/jwt:1.2",
            "oci://localhost:5000/jwt:1.2@sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
            "oci://[::1]:5000/a/b__c@sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
            "oci:/srv/bundle:1.0",
            "oci:a/b.tar:latest",
        ];
        for text in all {
            assert_eq!(Reference::parse(text).unwrap().to_string(), text);
        }
        let short = Reference::parse("ghcr.io/acme/jwt").unwrap();
        assert_eq!((short.to_string().as_str(), short.short_name()), ("oci://ghcr.io/acme/jwt", "jwt"));
        let bundle = Reference::parse(&format!("oci:a.tar@{DIGEST}")).unwrap().below(Path::new("/etc/t"));
        assert_eq!(bundle.to_string(), format!("oci:/etc/t/a.tar@{DIGEST}"));
        assert!(!bundle.moves());
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let wrong = [
            "",
            "jwt",
            "acme/jwt:1",
            "oci://ghcr.io",
            "oci://ghcr.io/",
            "oci://ghcr.io/A:1",
            "oci://ghcr.io/a/../b:1",
            "oci://ghcr.io/a..b:1",
            "oci://ghcr.io/a:",
            "oci://ghcr.io/a:b/c",
            "oci://ghcr.io/a@sha256:12",
            "oci://ghcr.io:99999/a",
            "oci://u:p@ghcr.io/a:1",
            "oci://gh cr.io/a:1",
            "oci:",
            "oci::1",
            "oci:a:b c",
            "oci://ghcr.io/a@md5:00112233445566778899aabbccddeeff",
            "oci://[::1/a:1",
            "oci://.a./-b:1",
        ];
        for text in wrong {
            assert!(Reference::parse(text).is_err(), "{text:?}");
        }
    }
}
