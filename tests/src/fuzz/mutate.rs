//! Bytes by chance, the same for the same seed.

/// A source of numbers (xorshift64*).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins somewhere.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    /// A number below `bound`, or 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(usize::MAX).checked_rem(bound).unwrap_or(0)
    }
}

/// Pieces that matter to parsers.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "/",
    "..",
    "%2e",
    "%2F",
    "%",
    "\\",
    "#",
    "?",
    "\r\n\r\n",
    "0\r\n\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Host: b\r\n",
    "Upgrade: x\r\n",
    "chunked",
    "ffffffffffffffff",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "\"",
    "[",
    "]",
    "=",
    "{",
    "}",
];

/// A few changes to `bytes`: something taken out, put in, doubled, turned or spliced with `other`.
#[must_use]
pub fn mutate(bytes: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=chance.below(4) {
        let place = chance.below(bytes.len() + 1);
        let end = (place + 1 + chance.below(8)).min(bytes.len());
        match chance.below(7) {
            0 => drop(bytes.drain(place.min(end)..end)),
            1 => drop(bytes.splice(place..place, PIECES[chance.below(PIECES.len())].bytes())),
            2 => {
                let doubled = bytes[place.min(end)..end].to_vec();
                bytes.splice(place..place, doubled);
            }
            3 => bytes.insert(place, u8::try_from(chance.below(256)).unwrap_or(0)),
            4 => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << chance.below(8);
                }
            }
            5 => {
                bytes.truncate(place);
                bytes.extend_from_slice(&other[chance.below(other.len() + 1)..]);
            }
            _ => bytes.truncate(place),
        }
    }
    bytes
}
