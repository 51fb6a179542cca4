//! Parameters of a query: `name=value` pairs joined by `&`, with percent-encoding undone (RFC 3986, section 2.1). A `+` is
//! a `+`: that it stands for a space is a rule of forms, not of URIs.

use std::borrow::Cow;

/// The values of all parameters of that name; a parameter without `=` has an empty one.
pub fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = Cow<'a, [u8]>> {
    query.split('&').filter_map(move |parameter| {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (!parameter.is_empty() && *decoded(key) == *name.as_bytes()).then(|| decoded(value))
    })
}

/// Without percent-encoding. What is no valid encoding stands for itself.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    let mut rest = text.as_bytes();
    if !rest.contains(&b'%') {
        return Cow::Borrowed(rest);
    }
    let mut bytes = Vec::with_capacity(rest.len());
    while let [first, tail @ ..] = rest {
        match rest {
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(digit(*high) << 4 | digit(*low));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(bytes)
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        _ => (byte | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(query: &str, name: &str) -> Vec<String> {
        values(query, name).map(|value| String::from_utf8(value.into_owned()).unwrap()).collect()
    }

    #[test]
    fn every_parameter_of_the_name_has_a_value() {
        assert_eq!(all("version=2&x=1&version=3", "version"), ["2", "3"]);
        assert_eq!(all("version", "version"), [""]);
        assert_eq!(all("version=a=b", "version"), ["a=b"]);
        assert_eq!(all("versions=2&xversion=2&", "version"), [""; 0]);
        assert_eq!(all("", ""), [""; 0]);
    }

    #[test]
    fn percent_encoding_is_undone_and_nothing_else() {
        assert_eq!(all("%76ersion=%41+b", "version"), ["A+b"]);
        assert_eq!(all("v=%zz%4", "v"), ["%zz%4"]);
        assert_eq!(all("v=%c3%a4", "v"), ["ä"]);
        assert_eq!(all("a%26v=1", "v"), [""; 0]);
    }
}
