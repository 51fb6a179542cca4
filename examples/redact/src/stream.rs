//! A body on its way, of which the end is held back while it may be the beginning of something.

use crate::rules::{Found, Rules};

#[derive(Default)]
pub(crate) struct Stream {
    /// What was held back. Never more than the longest word, or the longest card number with a hyphen between all its digits.
    held: Vec<u8>,
    /// The byte before it.
    before: u8,
}

impl Stream {
    /// What goes on in the place of a piece; nothing if that is the piece as it is.
    pub(crate) fn next(&mut self, rules: &Rules, piece: &[u8], is_last: bool) -> Option<Vec<u8>> {
        let held = std::mem::take(&mut self.held);
        let joined;
        let text = match held.is_empty() {
            true => piece,
            false => {
                joined = [&held, piece].concat();
                &joined
            }
        };
        let masked = self.mask(rules, text, is_last);
        match masked {
            None if held.is_empty() => None,
            None => Some(text.to_vec()),
            masked => masked,
        }
    }

    /// The text as it goes on; nothing if all of it does as it is.
    fn mask(&mut self, rules: &Rules, text: &[u8], is_last: bool) -> Option<Vec<u8>> {
        let (mut masked, mut written, mut at) = (Vec::new(), 0, 0);
        let mut end = text.len();
        while let Some(place) = rules.candidate(text, at) {
            let before = if place == 0 { self.before } else { text[place - 1] };
            match rules.look(&text[place..], before, is_last) {
                Found::Nothing => at = place + 1,
                Found::Hit { length, shown } => {
                    masked.extend_from_slice(&text[written..place]);
                    at = place + length;
                    written = at;
                    hide(&text[place..at], shown, rules.mask, &mut masked);
                }
                Found::Undecided => {
                    end = place;
                    break;
                }
            }
        }
        if let Some(last) = end.checked_sub(1) {
            self.before = text[last];
        }
        if written == 0 && end == text.len() {
            return None;
        }
        masked.extend_from_slice(&text[written..end]);
        self.held = text[end..].to_vec();
        Some(masked)
    }
}

/// A number keeps its last digits, and what stands between its digits.
fn hide(hit: &[u8], shown: usize, mask: u8, to: &mut Vec<u8>) {
    let is_hidden = |byte: &u8| shown == 0 || byte.is_ascii_digit();
    let mut left = hit.iter().filter(|byte| is_hidden(byte)).count() - shown;
    to.extend(hit.iter().map(|byte| {
        if left == 0 || !is_hidden(byte) {
            return *byte;
        }
        left -= 1;
        mask
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body that comes in pieces of so many bytes.
    fn masked(words: &[&str], body: &str, cut: usize) -> String {
        let rules = Rules::new(words.iter().map(|word| (*word).to_owned()).collect(), true, '*').unwrap();
        let (mut stream, mut out) = (Stream::default(), Vec::new());
        let mut pieces = body.as_bytes().chunks(cut).peekable();
        while let Some(piece) = pieces.next() {
            let went = stream.next(&rules, piece, pieces.peek().is_none());
            out.extend_from_slice(went.as_deref().unwrap_or(piece));
            assert!(stream.held.len() <= 38, "{} bytes are held back", stream.held.len());
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn wherever_a_body_is_cut_the_same_is_masked() {
        for (body, expected) in [
            ("tulip", "*****"),
            ("a tulip, two tulips, tulip trees.", "a *****, two *****s, **********s."),
            ("tutulip tuli", "tu***** tuli"),
            ("card 4111111111111111.", "card ************1111."),
            ("4111-1111-1111-1111", "****-****-****-1111"),
            ("1234 4111 1111 1111 1111 x", "1234 **** **** **** 1111 x"),
            ("378282246310005, 4222222222222", "***********0005, *********2222"),
            // With a wrong check digit, too long, too short, all zeros, two spaces.
            ("4111111111111112", "4111111111111112"),
            ("41111111111111111111", "41111111111111111111"),
            ("411111111111", "411111111111"),
            ("0000000000000000", "0000000000000000"),
            ("4111 1111  1111 1111", "4111 1111  1111 1111"),
            ("4111 1111 1111 1111 ", "**** **** **** 1111 "),
            ("4111 1111 1111 1111-", "**** **** **** 1111-"),
        ] {
            for cut in 1..=body.len() {
                assert_eq!(masked(&["tulip", "tulip tree"], body, cut), expected, "in pieces of {cut}");
            }
        }
    }

    #[test]
    fn a_piece_without_anything_is_not_even_copied() {
        let rules = Rules::new(vec!["tulip".into()], false, '*').unwrap();
        let mut stream = Stream::default();
        assert_eq!(stream.next(&rules, b"rose ", false), None);
        assert_eq!(stream.next(&rules, b"rose t", false).as_deref(), Some(&b"rose "[..]));
        assert_eq!(stream.next(&rules, b"ree", true).as_deref(), Some(&b"tree"[..]));
    }
}
