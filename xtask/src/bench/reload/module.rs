//! Modules that do the same and are not the same.

use std::time::{SystemTime, UNIX_EPOCH};

/// The module with one more custom section (WebAssembly core, section 5.5.3), which no run before has had: a cache
/// of compiled code that goes by the digest cannot know it.
pub(super) fn variant(module: &[u8], name: &str) -> Vec<u8> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let content = format!("{name} {} {time}", std::process::id());
    [module, &custom_section("tollgate-bench", content.as_bytes())].concat()
}

/// Id 0, the size of what follows, the length of the name, the name, the content.
fn custom_section(name: &str, content: &[u8]) -> Vec<u8> {
    let inside = [&*leb(name.len()), name.as_bytes(), content].concat();
    [&[0], &*leb(inside.len()), &*inside].concat()
}

/// An unsigned LEB128 number: seven bits a byte, the lowest first, the highest bit set on all but the last.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_leb128() {
        assert_eq!(leb(5), [5]);
        assert_eq!(leb(127), [0x7f]);
        assert_eq!(leb(128), [0x80, 1]);
        assert_eq!(leb(624_485), [0xe5, 0x8e, 0x26]);
    }

    #[test]
    fn a_section_has_id_size_and_name() {
        assert_eq!(custom_section("ab", b"xyz"), [0, 6, 2, b'a', b'b', b'x', b'y', b'z']);
    }

    #[test]
    fn variants_differ_and_begin_with_the_module() {
        let module = b"\0asm\x0d\0\x01\0";
        let (one, two) = (variant(module, "a"), variant(module, "b"));
        assert!(one.starts_with(module) && two.starts_with(module));
        assert_ne!(one, two);
    }
}
