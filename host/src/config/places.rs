//! Patterns of places that modules come from: repositories in registries, and bundles.

use std::path::Path;

use super::report::Wrong;
use crate::oci::{Place, plain_path};

/// Places: one, or all whose beginning is written before a star.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacePattern(String);

impl PlacePattern {
    /// Reads it; the path of a bundle is relative to the folder.
    pub(super) fn parse(text: &str, folder: &Path) -> Result<Self, Wrong> {
        let start = text.strip_suffix('*').unwrap_or(text);
        // `ghcr.io/acme*` would be about `ghcr.io/acme-but-not-really/…` as well.
        let is_whole = start.is_empty() || start.ends_with('/') || start.len() == text.len();
        let is_plain = !start.contains('*') && !start.starts_with("oci://") && !start.contains('@');
        if !is_whole || !is_plain || text.is_empty() {
            return Err((
                format!("{text:?} is no pattern of repositories"),
                "write \"ghcr.io/acme/jwt\", \"ghcr.io/acme/*\", \"oci:bundles/*\" or \"*\"".to_owned(),
            ));
        }
        let Some(path) = start.strip_prefix("oci:") else { return Ok(Self(text.to_owned())) };
        let path = plain_path(&folder.join(path));
        Ok(Self(match text.ends_with('*') {
            true => format!("oci:{}", path.join("*").display()),
            false => format!("oci:{}", path.display()),
        }))
    }

    /// Whether a place is among them.
    #[must_use]
    pub fn matches(&self, place: &Place) -> bool {
        matches(&self.0, &place.to_string())
    }

    /// Whether a place is among them whatever links there are on the way to it.
    pub(super) fn encloses(&self, place: &Place) -> bool {
        let leads_out = |path: &Path, folder: &str| match (path.canonicalize(), Path::new(folder).canonicalize()) {
            (Ok(path), Ok(folder)) => !path.starts_with(folder),
            _ => false,
        };
        let folder = self.0.strip_prefix("oci:").and_then(|path| path.strip_suffix('*'));
        let escapes = matches!((place, folder), (Place::Bundle(path), Some(folder)) if leads_out(path, folder));
        self.matches(place) && !escapes
    }

    /// As written, but for the paths of bundles.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// A pattern is all of it, or what it begins with and a star.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Reference;

    fn covers(pattern: &str, reference: &str) -> bool {
        let folder = Path::new("/etc/tollgate");
        let place = Reference::parse(reference).unwrap().below(folder).place;
        PlacePattern::parse(pattern, folder).unwrap().encloses(&place)
    }

    #[test]
    fn a_pattern_is_about_whole_parts() {
        assert!(covers("ghcr.io/acme/*", "ghcr.io/acme/a/b:1") && !covers("ghcr.io/acme/*", "ghcr.io/acme-b/a:1"));
        assert!(covers("*", "a.b/c:1") && covers("a.b/c", "a.b/c:1") && !covers("a.b/c", "a.b/c/d:1"));
        for wrong in ["", "ghcr.io/acme*", "ghcr.io/*/a", "oci://ghcr.io/a", "a.b/c@sha256:1"] {
            assert!(PlacePattern::parse(wrong, Path::new("")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_of_bundles_is_left_by_no_detour() {
        assert!(covers("oci:bundles/*", "oci:bundles/a:1") && covers("oci:./b/../bundles/*", "oci:bundles/a/b.tar:1"));
        assert!(covers("oci:bundles/a", "oci:x/../bundles/a:1") && !covers("oci:bundles/a", "oci:bundles/a/b:1"));
        assert!(!covers("oci:bundles/*", "oci:bundles/../a:1") && !covers("oci:bundles/*", "oci:bundles-2/a:1"));
        assert!(!covers("oci:bundles/*", "bundles.io/a:1") && covers("*", "oci:bundles/a:1"));
    }
}
