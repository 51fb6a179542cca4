//! Where an exchange belongs: W3C trace context, version 00 (`traceparent`).

use std::cell::Cell;
use std::fmt;

/// A trace, a span of it, and whether it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Never 0.
    pub trace: u128,
    /// Never 0.
    pub span: u64,
    /// Whether somebody records it.
    pub sampled: bool,
}

impl TraceContext {
    /// A trace of its own.
    pub(super) fn fresh(sampled: bool) -> Self {
        Self { trace: (u128::from(random()) << 64) | u128::from(random()), span: random(), sampled }
    }

    /// Another span of the same trace.
    pub(super) fn child(self, sampled: bool) -> Self {
        Self { span: random(), sampled, ..self }
    }

    /// Reads a `traceparent`. Of a later version what version 00 has is read; nothing but hexadecimal digits in lower case will do.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (version, more) = (hex(text.get(..2)?)?, text.get(55..)?);
        let is_version = version != 0xff && (more.is_empty() || version != 0 && more.starts_with('-'));
        let dashes = [2, 35, 52].iter().all(|at| text.as_bytes()[*at] == b'-');
        if !is_version || !dashes {
            return None;
        }
        let (trace, span) = (hex(text.get(3..35)?)?, u64::try_from(hex(text.get(36..52)?)?).ok()?);
        let sampled = hex(text.get(53..55)?)? & 1 == 1;
        (trace != 0 && span != 0).then_some(Self { trace, span, sampled })
    }
}

fn hex(digits: &str) -> Option<u128> {
    let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex { u128::from_str_radix(digits, 16).ok() } else { None }
}

/// As `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// A number that is not 0 and that nobody else has (splitmix64, from a seed of the kernel for each thread). Not a secret.
pub(super) fn random() -> u64 {
    thread_local!(static STATE: Cell<u64> = Cell::new(seed()));
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).max(1)
}

fn seed() -> u64 {
    let mut word = [0; 8];
    // It does not fail for so few bytes; the lanes keep the threads apart if it does.
    let _ = rustix::rand::getrandom(&mut word, rustix::rand::GetRandomFlags::empty());
    u64::from_ne_bytes(word) ^ super::super::lane() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = TraceContext::parse(text.as_bytes()).unwrap();
        assert_eq!((context.to_string().as_str(), context.sampled), (text, true));
        let later = TraceContext::parse(b"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02-more").unwrap();
        assert!(!later.sampled);
        assert_ne!(TraceContext::fresh(true).trace, TraceContext::fresh(true).trace);
    }

    #[test]
    fn what_is_not_in_that_form_is_no_context() {
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319ä-b7ad6b7169203331-0",
        ] {
            assert_eq!(TraceContext::parse(text.as_bytes()), None, "{text}");
        }
    }
}
