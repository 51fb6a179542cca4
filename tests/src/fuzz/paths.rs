//! Paths: the normal form of a normal form is itself, and has nothing that servers could differ about.

use http::uri::PathAndQuery;
use tollgate::route::{PathRules, normalize};

/// Which rules hold, then a target.
pub fn run(data: &[u8]) {
    let Some((rules, target)) = data.split_first() else { return };
    let Ok(target) = std::str::from_utf8(target) else { return };
    let rules = PathRules { keep_encoded_slashes: rules & 1 == 1, merge_slashes: rules & 2 == 2 };
    let Ok(normal) = normalize(target, rules) else { return };
    let normal = normal.unwrap_or_else(|| target.to_owned());
    assert_eq!(normalize(&normal, rules), Ok(None), "{target:?} → {normal:?}");
    let parsed: PathAndQuery = normal.parse().unwrap_or_else(|error| panic!("{target:?} → {normal:?}: {error}"));
    let path = parsed.path();
    assert_eq!(parsed.as_str(), normal);
    if path == "*" {
        return;
    }
    let decoded = decode(path);
    let separators: &[char] = if rules.keep_encoded_slashes { &['/', '\\'] } else { &['/'] };
    for segment in decoded.split(separators) {
        let name = segment.split(';').next().unwrap_or_default();
        assert!(!matches!(name, "." | ".."), "{target:?} → {normal:?} has a dot segment");
    }
    assert!(path.starts_with('/') && !decoded.contains('\0'), "{target:?} → {normal:?}");
    assert!(rules.keep_encoded_slashes || !decoded.contains('\\'), "{target:?} → {normal:?}");
    assert!(!rules.merge_slashes || !path.contains("//"), "{target:?} → {normal:?}");
}

/// Every percent-encoding, as a careless server would decode it.
fn decode(path: &str) -> String {
    let mut decoded = String::new();
    let mut rest = path;
    while let Some((plain, encoded)) = rest.split_once('%') {
        decoded.push_str(plain);
        let byte = u8::from_str_radix(&encoded[..2], 16).unwrap_or_else(|_| panic!("{path:?} is not normal"));
        decoded.push(char::from(byte));
        rest = &encoded[2..];
    }
    decoded + rest
}

/// The targets of the corpus.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let requests = crate::corpus("requests").into_iter().map(|case| case.bytes);
    let targets = requests.filter_map(|bytes| Some(bytes.split(|byte| *byte == b' ').nth(1)?.to_vec()));
    let targets = targets.filter(|target| target.len() < 1_000).enumerate();
    let mut seeds: Vec<_> = targets.map(|(number, target)| [vec![(number % 4) as u8], target].concat()).collect();
    seeds.extend(super::texts(["\0/..%3ba", "\x01/..%3b..%5cdows"]));
    seeds
}
