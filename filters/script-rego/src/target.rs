//! What a request's target is taken apart into, as OPA's plugin for Envoy does it.

use std::collections::BTreeMap;

/// The parts of a path, decoded. Nothing if it cannot be decoded.
pub(crate) fn path(target: &str) -> Option<Vec<String>> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    Some(decoded(path)?.trim_start_matches('/').split('/').map(str::to_owned).collect())
}

/// Each name of a query with the list of its values, decoded. What cannot be decoded is left out.
pub(crate) fn query(target: &str) -> BTreeMap<String, Vec<String>> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for part in query.split('&').filter(|part| !part.is_empty() && !part.contains(';')) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let plain = |text: &str| decoded(&text.replace('+', " "));
        if let (Some(name), Some(value)) = (plain(name), plain(value)) {
            found.entry(name).or_default().push(value);
        }
    }
    found
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_and_then_taken_apart() {
        assert_eq!(path("/a%2Fb/c?d/e").as_deref(), Some(["a", "b", "c"].map(str::to_owned).as_slice()));
        assert_eq!(
            (path("/").map(|parts| parts.len()), path("/%"), path("/%zz"), path("/%ff")),
            (Some(1), None, None, None)
        );
    }

    #[test]
    fn a_query_has_all_values_of_a_name() {
        let found = query("/?a=1&b=x+y%21&a=2&c&=%&d;e");
        let expected = [("a", vec!["1", "2"]), ("b", vec!["x y!"]), ("c", vec![""])];
        let expected =
            expected.map(|(name, values)| (name.to_owned(), values.into_iter().map(str::to_owned).collect()));
        assert_eq!(found, BTreeMap::from(expected));
    }
}
