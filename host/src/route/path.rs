//! Path prefixes on segment boundaries.

/// The prefixes of a path that end on a segment boundary and have at most `longest` bytes, longest first and the path itself
/// included: `/a/b/` has `/a/b/`, `/a/b`, `/a` and `/`. With the bound, a path costs what the routes are long, not what it
/// is long.
pub(super) fn prefixes(path: &str, longest: usize) -> impl Iterator<Item = &str> {
    let mut rest = if path.len() <= longest { Some(path) } else { cut(path, longest) };
    std::iter::from_fn(move || {
        let current = rest?;
        rest = current.len().checked_sub(1).and_then(|before| cut(current, before));
        Some(current)
    })
}

/// What is left of a longer path before its last boundary within that many bytes.
fn cut(path: &str, longest: usize) -> Option<&str> {
    match path.as_bytes().get(..=longest)?.iter().rposition(|byte| *byte == b'/')? {
        0 if path.len() > 1 && longest > 0 => Some("/"),
        0 => None,
        slash => Some(&path[..slash]),
    }
}

/// What comes behind a prefix without `/` at its end: nothing, or something with a `/` first. None if the path is not below
/// the prefix.
pub(super) fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a path has a segment `.` or `..`, percent-encoded or not, which another server might resolve (RFC 3986, section
/// 5.2.4).
pub(super) fn has_dot_segments(path: &str) -> bool {
    path.split('/').any(|segment| {
        let mut rest = segment;
        let mut dots = 0;
        while let Some(after) = [".", "%2e", "%2E"].iter().find_map(|dot| rest.strip_prefix(dot)) {
            rest = after;
            dots += 1;
        }
        rest.is_empty() && (1..=2).contains(&dots)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_on_segments() {
        let of = |path| prefixes(path, 100).collect::<Vec<_>>();
        assert_eq!(of("/"), ["/"]);
        assert_eq!(of("/a"), ["/a", "/"]);
        assert_eq!(of("/a/b"), ["/a/b", "/a", "/"]);
        assert_eq!(of("/a/"), ["/a/", "/a", "/"]);
        assert_eq!(of("//"), ["//", "/"]);
        assert_eq!(of("/orders/7/items"), ["/orders/7/items", "/orders/7", "/orders", "/"]);
        assert_eq!(of("*"), ["*"]);
        assert_eq!(of(""), [""]);
    }

    #[test]
    fn prefixes_are_no_longer_than_asked_for() {
        let of = |longest| prefixes("/ab/cd/ä", longest).collect::<Vec<_>>();
        assert_eq!(of(9), ["/ab/cd/ä", "/ab/cd", "/ab", "/"]);
        assert_eq!(of(8), ["/ab/cd", "/ab", "/"]);
        assert_eq!(of(6), ["/ab/cd", "/ab", "/"]);
        assert_eq!(of(5), ["/ab", "/"]);
        assert_eq!(of(3), ["/ab", "/"]);
        assert_eq!(of(2), ["/"]);
        assert_eq!(of(1), ["/"]);
        assert_eq!(of(0), [""; 0]);
    }

    #[test]
    fn dot_segments_are_seen() {
        for path in ["/.", "/..", "/a/../b", "/%2e", "/.%2E/", "/%2e%2e"] {
            assert!(has_dot_segments(path), "{path}");
        }
        for path in ["/", "//", "/...", "/.a", "/a.", "/%2e%2e%2e", "/a/b"] {
            assert!(!has_dot_segments(path), "{path}");
        }
    }
}
