//! One spelling for each path (RFC 3986, section 6.2.2), so that what routes and filters match is what the upstream gets.
//!
//! Percent-encodings of unreserved characters are decoded, others are in upper case; dot segments are resolved. Encoded
//! separators, and dot segments in a disguise that some server takes off, are refused or kept as [`PathRules`] say. The
//! query is checked and left as it is.

/// What becomes of paths on which servers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathRules {
    /// `%2F` and `%5C` stay as they are and separate nothing; otherwise they are refused.
    pub keep_encoded_slashes: bool,
    /// Several slashes in a row are one.
    pub merge_slashes: bool,
}

/// Why a target cannot be brought into one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A byte that no path or query has.
    #[error("the target has characters that must be percent-encoded")]
    Character,
    /// `%` without two hexadecimal digits.
    #[error("the target has a percent sign without two hexadecimal digits")]
    Percent,
    /// `%00`.
    #[error("the path has an encoded zero byte")]
    Zero,
    /// `%2F` or `%5C`.
    #[error("the path has an encoded slash or backslash")]
    EncodedSlash,
    /// More `..` than segments before them.
    #[error("the path leads above the root")]
    AboveRoot,
    /// `..;a`, `..%3Ba`, or `..%2Fa`: a dot segment to some servers.
    #[error("the path has a dot segment in disguise")]
    Disguise,
}

/// The normal form of a path with its query, if that is another.
///
/// # Errors
/// If there is none.
pub fn normalize(target: &str, rules: PathRules) -> Result<Option<String>, PathError> {
    if target == "*" {
        return Ok(None);
    }
    let (path, query) = target.find('?').map_or((target, ""), |mark| target.split_at(mark));
    check_query(query)?;
    if !path.is_empty() && !path.starts_with('/') {
        return Err(PathError::Character);
    }
    if is_normal(path)? {
        return Ok(None);
    }
    let mut normal = resolve(path, rules)?;
    if normal == path {
        return Ok(None);
    }
    normal.push_str(query);
    Ok(Some(normal))
}

/// One look at each byte: true if there is nothing to do, as for nearly every path.
fn is_normal(path: &str) -> Result<bool, PathError> {
    let (mut before, mut normal) = (0, path.starts_with('/'));
    for (index, byte) in path.bytes().enumerate() {
        match PATH[usize::from(byte)] {
            Class::Plain => {}
            Class::Other => return Err(PathError::Character),
            Class::Special if byte == b'%' => normal &= is_normal_encoding(&path.as_bytes()[index + 1..]),
            Class::Special => normal &= before != b'/',
        }
        before = byte;
    }
    Ok(normal)
}

/// What a byte of a path may mean.
#[derive(Clone, Copy)]
enum Class {
    /// Nothing in particular.
    Plain,
    /// `%`, `/` and `.`.
    Special,
    /// No path has it.
    Other,
}

/// What RFC 3986 allows, and `[]^|`, which browsers leave as they are.
const PATH: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'%' | b'/' | b'.' => Class::Special,
            b'"' | b'#' | b'<' | b'>' | b'?' | b'\\' | b'`' | b'{' | b'}' => Class::Other,
            c if c.is_ascii_graphic() => Class::Plain,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

/// Two digits in upper case, of a byte that has to be encoded and separates nothing.
fn is_normal_encoding(rest: &[u8]) -> bool {
    let [high @ (b'0'..=b'9' | b'A'..=b'F'), low @ (b'0'..=b'9' | b'A'..=b'F'), ..] = rest else { return false };
    let Some((high, low)) = hex(Some(*high)).zip(hex(Some(*low))) else { return false };
    !matches!(high << 4 | low, 0 | b'/' | b'\\') && !is_unreserved(high << 4 | low)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Browsers encode little in queries; nobody finds their way by them.
fn check_query(query: &str) -> Result<(), PathError> {
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => drop(hex(bytes.next()).zip(hex(bytes.next())).ok_or(PathError::Percent)?),
            b'"' | b'#' | b'<' | b'>' => return Err(PathError::Character),
            _ if !byte.is_ascii_graphic() => return Err(PathError::Character),
            _ => {}
        }
    }
    Ok(())
}

fn resolve(path: &str, rules: PathRules) -> Result<String, PathError> {
    let mut normal = String::with_capacity(path.len() + 1);
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let start = normal.len();
        normal.push('/');
        decode(segment, rules, &mut normal)?;
        let is_last = segments.peek().is_none();
        match &normal[start + 1..] {
            "" if rules.merge_slashes && !is_last => normal.truncate(start),
            "." => normal.truncate(start + usize::from(is_last)),
            ".." => {
                normal.truncate(start);
                normal.truncate(normal.rfind('/').ok_or(PathError::AboveRoot)?);
                if is_last {
                    normal.push('/');
                }
            }
            segment if is_disguised(segment) => return Err(PathError::Disguise),
            _ => {}
        }
    }
    Ok(normal)
}

/// Whether some server would find a dot segment in it: before path parameters, encoded or not, or between encoded slashes.
fn is_disguised(segment: &str) -> bool {
    let mut parts = segment.split("%2F").flat_map(|part| part.split("%5C")).peekable();
    let is_whole = !segment.contains("%2F") && !segment.contains("%5C");
    parts.any(|part| match part.find(';').into_iter().chain(part.find("%3B")).min() {
        Some(end) => matches!(&part[..end], "." | ".."),
        None => !is_whole && matches!(part, "." | ".."),
    })
}

/// Appends a segment in its normal spelling.
fn decode(segment: &str, rules: PathRules, normal: &mut String) -> Result<(), PathError> {
    let mut rest = segment;
    while let Some((plain, encoded)) = rest.split_once('%') {
        normal.push_str(plain);
        let mut digits = encoded.bytes();
        let (high, low) = hex(digits.next()).zip(hex(digits.next())).ok_or(PathError::Percent)?;
        match high << 4 | low {
            0 => return Err(PathError::Zero),
            b'/' | b'\\' if !rules.keep_encoded_slashes => return Err(PathError::EncodedSlash),
            byte if is_unreserved(byte) => normal.push(char::from(byte)),
            byte => normal.push_str(&format!("%{byte:02X}")),
        }
        // Two digits, so this is a boundary.
        rest = encoded.get(2..).unwrap_or_default();
    }
    normal.push_str(rest);
    Ok(())
}

fn hex(digit: Option<u8>) -> Option<u8> {
    let digit = digit?;
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: PathRules = PathRules { keep_encoded_slashes: false, merge_slashes: true };

    fn normal(target: &str) -> String {
        normalize(target, DEFAULT).unwrap().unwrap_or_else(|| target.to_owned())
    }

    #[test]
    fn what_is_normal_stays() {
        for target in [
            "/",
            "*",
            "/a/b",
            "/a/",
            "/a;p=1/b",
            "/a%20b",
            "/a...b",
            "/a.b/c.",
            "/a?x=//../%2f",
            "/[1]|^",
            "/a:b@c!$&'()*+,=",
        ] {
            assert_eq!(normalize(target, DEFAULT), Ok(None), "{target}");
        }
        assert_eq!(normalize("/.well-known/x", DEFAULT), Ok(None));
        assert_eq!(normalize("/...", DEFAULT), Ok(None));
    }

    #[test]
    fn dot_segments_are_resolved() {
        // RFC 3986, section 5.2.4.
        assert_eq!(normal("/a/b/c/./../../g"), "/a/g");
        for (target, expected) in [
            ("/.", "/"),
            ("/a/..", "/"),
            ("/a/../", "/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/a/./b", "/a/b"),
            ("/a/%2e%2E/b?q=/../", "/b?q=/../"),
            ("/a/.%2e/b", "/b"),
            ("?q", "/?q"),
            ("", "/"),
        ] {
            assert_eq!(normal(target), expected, "{target}");
        }
        for target in ["/..", "/../a", "/a/../../b", "/%2e%2e/a", "/a/../..", "//../.."] {
            assert_eq!(normalize(target, DEFAULT), Err(PathError::AboveRoot), "{target}");
        }
    }

    #[test]
    fn encodings_are_spelled_in_one_way() {
        assert_eq!(normal("/%61%2D%7e/%c3%a4%3a"), "/a-~/%C3%A4%3A");
        assert_eq!(normal("/%252e%252e/a"), "/%252e%252e/a", "decoded once and no more");
        for target in ["/%", "/%2", "/%g0", "/%+1", "/%%20", "/a?%", "/a?%4", "/a?%zz"] {
            assert_eq!(normalize(target, DEFAULT), Err(PathError::Percent), "{target}");
        }
        assert_eq!(normalize("/a%00", DEFAULT), Err(PathError::Zero));
        for target in ["/\\", "/{a}", "/a\"", "/<", "/\u{e4}", "/a#b", "/a?\u{e4}", "/a?#", "/a?<b>", "*?a", "a/b"] {
            assert_eq!(normalize(target, DEFAULT), Err(PathError::Character), "{target}");
        }
    }

    #[test]
    fn slashes_are_as_configured() {
        assert_eq!(normal("//a///b//"), "/a/b/");
        assert_eq!(normal("/a//../b"), "/b");
        for target in ["/a%2fb", "/a%5Cb"] {
            assert_eq!(normalize(target, DEFAULT), Err(PathError::EncodedSlash), "{target}");
        }
        let lax = PathRules { keep_encoded_slashes: true, merge_slashes: false };
        let normal = |target| normalize(target, lax).unwrap().unwrap_or_default();
        assert_eq!(normal("/a%2fb"), "/a%2Fb");
        assert_eq!(normalize("//a//", lax), Ok(None));
        assert_eq!(normal("/a//../b"), "/a/b");
        for target in ["/..%2fa", "/a%5c..", "/a/%2e%2e%5cb", "/..;%2f"] {
            assert_eq!(normalize(target, lax), Err(PathError::Disguise), "{target}");
        }
    }

    #[test]
    fn parameters_stay_but_not_on_dot_segments() {
        for target in ["/a/..;/b", "/a/.;x=1/b", "/%2e%2e;a", "/a/..%3b/b", "/.%3Bx"] {
            assert_eq!(normalize(target, DEFAULT), Err(PathError::Disguise), "{target}");
        }
        assert_eq!(normalize("/a;../b", DEFAULT), Ok(None));
        assert_eq!(normalize("/a%3B../b", DEFAULT), Ok(None));
    }

    #[test]
    fn the_normal_form_is_normal() {
        for target in ["/a/./b//c/%7e/..", "/%61/../%2e/x?y", "//", "/a;b/../c"] {
            let once = normal(target);
            assert_eq!(normalize(&once, DEFAULT), Ok(None), "{target} → {once}");
        }
    }
}
