//! Classes of bytes.

use memchr::{memchr, memchr_iter};

const TOKEN: u8 = 1;
const HOST: u8 = 2;
const PATH: u8 = 4;
const QUERY: u8 = 8;

/// The classes that each byte belongs to.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        if c.is_ascii_alphanumeric() {
            classes[byte] = TOKEN | HOST;
        }
        if c.is_ascii_graphic() && !matches!(c, b'"' | b'#' | b'<' | b'>') {
            classes[byte] |= QUERY;
            if !matches!(c, b'?' | b'\\' | b'`' | b'{' | b'}') {
                classes[byte] |= PATH;
            }
        }
        byte += 1;
    }
    classes = with(classes, b"!#$%&'*+-.^_`|~", TOKEN);
    with(classes, b"-._~", HOST)
}

const fn with(mut classes: [u8; 256], bytes: &[u8], class: u8) -> [u8; 256] {
    let mut index = 0;
    while index < bytes.len() {
        classes[bytes[index] as usize] |= class;
        index += 1;
    }
    classes
}

fn all(bytes: &[u8], class: u8) -> bool {
    bytes.iter().all(|byte| CLASSES[usize::from(*byte)] & class != 0)
}

/// The token at the beginning, and what comes behind it (RFC 9110, section 5.6.2).
pub(super) fn token(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| CLASSES[usize::from(*byte)] & TOKEN == 0);
    bytes.split_at(end.unwrap_or(bytes.len()))
}

/// The same section.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && all(bytes, TOKEN)
}

/// What a target may consist of before it is looked at more closely: what RFC 3986 allows, and what browsers leave as it is
/// (`[]^|` in paths, `\`, braces and grave accents in queries too). No fragment, which is for clients only (RFC 9112,
/// section 3.2) and which hyper would drop without a word.
pub(super) fn is_target(bytes: &[u8]) -> bool {
    let query = memchr(b'?', bytes).unwrap_or(bytes.len());
    !bytes.is_empty() && all(&bytes[..query], PATH) && all(&bytes[query..], QUERY)
}

/// No control characters but HTAB (RFC 9110, section 5.5); without branches, so that it is done many bytes at a time.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |bad, byte| bad | ((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f))
}

/// How many control characters but HTAB there are.
pub(super) fn count_controls(bytes: &[u8]) -> usize {
    let is_control = |byte: &u8| u8::from(((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f));
    // As many as a sum in a byte can hold: it is done many bytes at a time.
    bytes.chunks(128).map(|chunk| usize::from(chunk.iter().map(is_control).sum::<u8>())).sum()
}

/// A CR that something else than LF comes after; one at the end may still get its LF.
pub(super) fn has_bare_cr(bytes: &[u8]) -> bool {
    memchr_iter(b'\r', bytes).any(|place| bytes.get(place + 1).is_some_and(|next| *next != b'\n'))
}

/// Without optional white space around (RFC 9110, section 5.6.3).
#[must_use]
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// A host and perhaps a port (RFC 9110, section 7.2). Of what RFC 3986 calls a registered name, only what host names
/// consist of: with percent-encodings or commas, one reader's host is another's list.
#[must_use]
pub fn is_host(bytes: &[u8]) -> bool {
    let (host, port) = match bytes {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let address = std::str::from_utf8(&rest[..end]).ok();
            if address.and_then(|address| address.parse::<std::net::Ipv6Addr>().ok()).is_none() {
                return false;
            }
            return matches!(&rest[end + 1..], [] | [b':']) || rest[end + 1..].strip_prefix(b":").is_some_and(is_port);
        }
        _ => match bytes.iter().position(|byte| *byte == b':') {
            Some(colon) => (&bytes[..colon], &bytes[colon + 1..]),
            None => (bytes, &[][..]),
        },
    };
    !host.is_empty() && all(host, HOST) && (port.is_empty() || is_port(port))
}

fn is_port(bytes: &[u8]) -> bool {
    bytes.len() <= 5 && number(bytes).is_some_and(|port| port <= u64::from(u16::MAX))
}

/// Whether a list of options has one of that name (RFC 9110, section 5.6.1).
#[must_use]
pub fn has_option(list: &[u8], option: &str) -> bool {
    list.split(|byte| *byte == b',').any(|part| trim(part).eq_ignore_ascii_case(option.as_bytes()))
}

/// A decimal number: digits only. What cannot be counted in a signed number is an attempt to overflow somebody's.
#[must_use]
pub fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for digit in digits {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    (value <= i64::MAX as u64).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in ["a", "a.test", "a.test.", "A-b_c.test:80", "127.0.0.1:65535", "[::1]", "[::1]:80", "a:", "[::1]:"]
        {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        let wrong = [
            "", ":", ":80", "a:b", "a:80:80", "a:65536", "a:000080", "a/b", "u@a", "a b", "a,b", "a%62", "[::1", "::1",
        ];
        for host in
            wrong.into_iter().chain(["[a]", "[::1]80", "[v1.x]", "\u{e4}", "a\\b", "a?b", "a#b", "[fe80::1%251]"])
        {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn numbers_are_digits() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"007"), Some(7));
        assert_eq!(number(b"9223372036854775807"), Some(i64::MAX as u64));
        for wrong in ["", "+1", "-1", "1 ", "0x1", "1,1", "9223372036854775808", "99999999999999999999999"] {
            assert_eq!(number(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn text_has_no_controls() {
        assert!(is_text(b"a\tb \xe4\xff"));
        for byte in (0..32).chain([127]).filter(|byte| *byte != b'\t') {
            assert!(!is_text(&[b'a', byte, b'b']), "{byte}");
        }
    }
}
