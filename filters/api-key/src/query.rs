//! Parameters of a query: `name=value` pairs joined by `&`.

use std::borrow::Cow;

/// The value of the first parameter of that name, with percent-encoding undone (RFC 3986, section 2.1).
pub(crate) fn value<'a>(path: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    let (_, query) = split(path)?;
    let parameter = query.split(is_ampersand).find(|parameter| is_named(parameter, name))?;
    Some(decoded(parameter.get(name.len() + 1..).unwrap_or_default()))
}

/// The path without any parameter of that name, and without a question mark if no other is left.
pub(crate) fn without(path: &[u8], name: &str) -> Vec<u8> {
    let Some((before, query)) = split(path) else { return path.to_vec() };
    let mut rest = before.to_vec();
    let mut separator = b'?';
    for parameter in query.split(is_ampersand).filter(|parameter| !is_named(parameter, name)) {
        rest.push(separator);
        rest.extend_from_slice(parameter);
        separator = b'&';
    }
    rest
}

fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let mark = path.iter().position(|byte| *byte == b'?')?;
    Some((&path[..mark], &path[mark + 1..]))
}

fn is_ampersand(byte: &u8) -> bool {
    *byte == b'&'
}

fn is_named(parameter: &[u8], name: &str) -> bool {
    parameter.strip_prefix(name.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'=', ..]))
}

fn decoded(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'%') {
        return Cow::Borrowed(value);
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        let pair = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)),
            _ => None,
        };
        rest = if pair.is_some() { &rest[3..] } else { tail };
        bytes.push(pair.map_or(*first, |(high, low)| high << 4 | low));
    }
    Cow::Owned(bytes)
}

fn digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_and_decoded() {
        let find = |path: &'static str| value(path.as_bytes(), "key").map(Cow::into_owned);
        assert_eq!(find("/a?b=1&key=x%2By%zz&key=2"), Some(b"x+y%zz".to_vec()));
        assert_eq!(find("/a?key"), Some(Vec::new()));
        assert_eq!((find("/a?keys=1"), find("/key=1"), find("/a?")), (None, None, None));
    }

    #[test]
    fn parameters_are_removed_and_others_kept() {
        let rest = |path: &str| String::from_utf8(without(path.as_bytes(), "key")).unwrap();
        assert_eq!(rest("/a?key=1"), "/a");
        assert_eq!(rest("/a?key=1&b=2&key=3&c"), "/a?b=2&c");
        assert_eq!(rest("/a?keys=1"), "/a?keys=1");
        assert_eq!(rest("/a"), "/a");
    }
}
