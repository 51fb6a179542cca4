//! Path prefixes on segment boundaries.

/// The prefixes of a path that end on a segment boundary, longest first and the path itself included: `/a/b/` has
/// `/a/b/`, `/a/b`, `/a` and `/`.
pub(super) fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let current = rest?;
        rest = match current.rfind('/') {
            Some(0) if current.len() > 1 => Some("/"),
            Some(0) | None => None,
            Some(slash) => Some(&current[..slash]),
        };
        Some(current)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_on_segments() {
        let of = |path| prefixes(path).collect::<Vec<_>>();
        assert_eq!(of("/"), ["/"]);
        assert_eq!(of("/a"), ["/a", "/"]);
        assert_eq!(of("/a/b"), ["/a/b", "/a", "/"]);
        assert_eq!(of("/a/"), ["/a/", "/a", "/"]);
        assert_eq!(of("/orders/7/items"), ["/orders/7/items", "/orders/7", "/orders", "/"]);
        assert_eq!(of("*"), ["*"]);
    }
}
