//! Frames of WebSockets: their ends are found however they are cut, where another reader finds them too.

use tollgate::exchange::websocket::Frames;

/// A number that says where the bytes are cut, then frames.
pub fn run(data: &[u8]) {
    let Some((every, bytes)) = data.split_first() else { return };
    let expected = is_between(bytes);
    for every in [1, usize::from(*every).max(1), bytes.len().max(1)] {
        let mut frames = Frames::default();
        bytes.chunks(every).for_each(|piece| frames.observe(piece));
        assert_eq!(frames.is_between(), expected, "in pieces of {every}");
    }
}

/// RFC 6455, section 5.2, with everything there.
fn is_between(mut bytes: &[u8]) -> bool {
    let mut closed = false;
    while let [first, second, rest @ ..] = bytes {
        let (length, rest) = match second & 0x7f {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return false,
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return false,
            },
            length => (u64::from(length), rest),
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if rest.len() < mask {
            return false;
        }
        closed |= first & 0x0f == 8;
        match usize::try_from(length).ok().and_then(|length| rest[mask..].get(length..)) {
            Some(behind) => bytes = behind,
            None => return false,
        }
    }
    bytes.is_empty() && !closed
}

/// Frames of each length and kind.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    vec![
        b"\x02\x81\x02hi\x01\x00\x80\x01x".to_vec(),
        b"\x03\x82\x83KEY!abc\x88\x02\x03\xe9".to_vec(),
        [b"\x04\x82\x7e\x00\x80", &*vec![0; 128], b"\x81\x00"].concat(),
        b"\x05\x82\xff\x00\x00\x00\x00\x00\x00\x00\x01KEY!x\x81\x00".to_vec(),
    ]
}
