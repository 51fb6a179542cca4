//! The lines between chunks (RFC 9112, section 7.1).

use super::{Violation, lexical};

/// As many digits as a length of 64 bits has.
const MAX_DIGITS: usize = 16;

/// The longest line without an extension.
pub(super) const MAX_LINE: usize = MAX_DIGITS + 2;

/// The size that a chunk's first line tells, and how long its extension is. White space between them is not allowed: it
/// is only "bad whitespace" in the RFC's own grammar.
///
/// # Errors
/// If the line is not one.
pub fn size(line: &[u8]) -> Result<(u64, usize), Violation> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits == 0 || digits > MAX_DIGITS {
        return Err(Violation::ChunkSize);
    }
    let (digits, extension) = line.split_at(digits);
    match extension {
        [] => {}
        [b';', ..] if lexical::is_text(extension) => {}
        [b';', ..] => return Err(Violation::ChunkExtension),
        _ => return Err(Violation::ChunkSize),
    }
    let value = digits.iter().fold(0, |size: u64, digit| size << 4 | u64::from(hex(*digit)));
    // What cannot be counted in a signed number is an attempt to overflow somebody's.
    if value > i64::MAX as u64 {
        return Err(Violation::ChunkSize);
    }
    Ok((value, extension.len()))
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        // Lower and upper case differ in one bit.
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size(b"0"), Ok((0, 0)));
        assert_eq!(size(b"1aF"), Ok((0x1af, 0)));
        assert_eq!(size(b"005;a=\"b c\";d"), Ok((5, 10)));
        assert_eq!(size(b"7fffffffffffffff"), Ok((i64::MAX as u64, 0)));
        for line in
            ["", ";a", " 5", "5 ", "5 ;a", "0x5", "+5", "-5", "5g", "8000000000000000", "00000000000000005", "5\r"]
        {
            assert_eq!(size(line.as_bytes()), Err(Violation::ChunkSize), "{line:?}");
        }
        for line in ["5;a\rb", "5;\0", "5;a\nb"] {
            assert_eq!(size(line.as_bytes()), Err(Violation::ChunkExtension), "{line:?}");
        }
    }
}
