//! Certificates of clients as text: whatever is in them, no value can pass for two, or for a line of a log.

use tollgate::connection::identity;

/// A certificate in DER.
pub fn run(data: &[u8]) {
    let Some(identity) = identity::of(data) else { return };
    let subject = &*identity.subject;
    assert!(!subject.chars().any(char::is_control), "{subject:?}");
    if let Some(names) = &identity.alternative_names {
        assert!(names.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{names:?}");
        for name in names.split(", ") {
            assert!(name.contains(':') && !name.contains([' ', ',']), "{names:?}");
        }
    }
    if let Some(id) = &identity.spiffe_id {
        assert!(id.starts_with("spiffe://") && id.bytes().all(|byte| byte.is_ascii_graphic()), "{id:?}");
    }
}

/// Certificates with names of each kind.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let authority = crate::Authority::new();
    let pairs = [
        authority.client("a,O=Admin", &["spiffe://example/a"]),
        authority.client(" #a\n", &["https://a", "spiffe://b"]),
        authority.server(&["*.example.com", "b"]),
    ];
    pairs.iter().map(crate::Pair::der).collect()
}
