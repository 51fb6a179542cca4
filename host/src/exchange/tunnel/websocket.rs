//! Where the frames of a WebSocket begin and end (RFC 6455, section 5.2): all that is looked at of them.

/// Close, 1001 (going away), as a server sends it.
pub const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];

/// The same as a client sends it: masked, with a key that has nothing to hide.
pub const GOING_AWAY_MASKED: [u8; 8] = [0x88, 0x80 | 2, 0, 0, 0, 0, 0x03, 0xe9];

/// Follows the frames of one direction.
#[derive(Debug, Default)]
pub struct Frames {
    /// The header at hand, as far as it has come: 14 bytes at most.
    header: [u8; 14],
    come: usize,
    /// What is still to come of the content.
    content: u64,
    closed: bool,
}

impl Frames {
    /// Whether a frame may be put in here: none is under way, and no close frame has been sent, which is the last.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.come == 0 && self.content == 0 && !self.closed
    }

    /// These bytes pass.
    pub fn observe(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.content > 0 {
                let skipped = usize::try_from(self.content).unwrap_or(usize::MAX).min(bytes.len());
                self.content -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header[self.come] = *first;
            self.come += 1;
            bytes = rest;
            if self.come >= 2 && self.come == self.header_length() {
                self.begin();
            }
        }
    }

    fn header_length(&self) -> usize {
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        2 + self.length_bytes() + mask
    }

    /// How many bytes the extended length has.
    fn length_bytes(&self) -> usize {
        match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    /// The header is whole.
    fn begin(&mut self) {
        let extended = &self.header[2..2 + self.length_bytes()];
        self.content = match extended {
            [] => u64::from(self.header[1] & 0x7f),
            bytes => bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        self.closed |= self.header[0] & 0x0f == 0x8;
        self.come = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between_after(bytes: &[u8]) -> Vec<usize> {
        let mut frames = Frames::default();
        let mut places = Vec::new();
        for (place, byte) in bytes.iter().enumerate() {
            frames.observe(&[*byte]);
            if frames.is_between() {
                places.push(place + 1);
            }
        }
        let mut whole = Frames::default();
        whole.observe(bytes);
        assert_eq!(whole.is_between(), frames.is_between(), "the pieces do not matter");
        places
    }

    #[test]
    fn frames_end_where_their_length_says() {
        assert_eq!(between_after(b"\x81\x02hi\x81\x00\x01\x01x"), [4, 6, 9]);
        assert_eq!(between_after(b"\x82\x83KEY!abc"), [9], "masked");
        let mut medium = b"\x82\x7e\x01\x00".to_vec();
        medium.extend([0; 256]);
        assert_eq!(between_after(&medium), [260]);
        let mut large = b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00KEY!".to_vec();
        large.extend([0; 65_536]);
        assert_eq!(between_after(&large), [14 + 65_536]);
    }

    #[test]
    fn nothing_comes_after_a_close_frame() {
        assert_eq!(between_after(&GOING_AWAY), [0; 0]);
        assert_eq!(between_after(&GOING_AWAY_MASKED), [0; 0]);
    }
}
