//! What is looked for, and whether it is at a place.

use tollgate_filter::prelude::{Deserialize, Schema};

/// The longest word, in bytes: so much of a body is held back at most.
const LONGEST: usize = 256;

/// How many digits card numbers have (ISO/IEC 7812).
const CARD: std::ops::RangeInclusive<usize> = 13..=19;

/// Of a card number, these last digits stay.
const SHOWN: usize = 4;

#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Written {
    /// Words to mask, exactly as they are written.
    #[schema(max_items = 100)]
    #[serde(default)]
    words: Vec<String>,
    /// Whether to mask card numbers.
    #[serde(default)]
    cards: bool,
    /// What stands in the place of each byte.
    #[schema(default = "*")]
    #[serde(default = "star")]
    mask: char,
    /// Whose bodies are looked at.
    #[serde(default)]
    pub(crate) bodies: Whose,
}

fn star() -> char {
    '*'
}

#[derive(Clone, Copy, Default, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Whose {
    Request,
    #[default]
    Response,
    Both,
}

impl Whose {
    /// Whether those of requests, and those of responses.
    pub(crate) fn directions(self) -> (bool, bool) {
        (!matches!(self, Self::Response), !matches!(self, Self::Request))
    }
}

pub(crate) struct Rules {
    /// The longest first.
    words: Vec<Vec<u8>>,
    cards: bool,
    pub(crate) mask: u8,
    /// The bytes that something may begin with.
    begins: [bool; 256],
}

/// What is at a place.
pub(crate) enum Found {
    Nothing,
    /// So many bytes, of which these last ones may stay as far as they are digits.
    Hit {
        length: usize,
        shown: usize,
    },
    /// What follows will tell.
    Undecided,
}

impl Rules {
    pub(crate) fn of(written: Written) -> Result<Self, String> {
        Self::new(written.words, written.cards, written.mask)
    }

    pub(crate) fn new(words: Vec<String>, cards: bool, mask: char) -> Result<Self, String> {
        if words.is_empty() && !cards {
            return Err("there is nothing to look for; write words, cards or both".into());
        }
        if let Some(bad) = words.iter().position(|word| word.is_empty() || word.len() > LONGEST) {
            return Err(format!("words[{bad}]: a word has 1 to {LONGEST} bytes"));
        }
        let mask = u8::try_from(mask).ok().filter(u8::is_ascii_graphic);
        let mask = mask.ok_or("mask: write one printable ASCII character")?;
        let mut words: Vec<_> = words.into_iter().map(String::into_bytes).collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let mut begins = [false; 256];
        words.iter().for_each(|word| begins[usize::from(word[0])] = true);
        (b'0'..=b'9').for_each(|digit| begins[usize::from(digit)] |= cards);
        Ok(Self { words, cards, mask, begins })
    }

    /// The next place from there at which there may be something.
    pub(crate) fn candidate(&self, text: &[u8], from: usize) -> Option<usize> {
        text[from..].iter().position(|byte| self.begins[usize::from(*byte)]).map(|offset| from + offset)
    }

    /// What is at the beginning of this text, before which there was that byte.
    pub(crate) fn look(&self, text: &[u8], before: u8, is_last: bool) -> Found {
        for word in &self.words {
            if text.starts_with(word) {
                return Found::Hit { length: word.len(), shown: 0 };
            }
            if !is_last && text.len() < word.len() && word.starts_with(text) {
                return Found::Undecided;
            }
        }
        // In the middle of a longer number there is none.
        match text.first() {
            Some(first) if self.cards && first.is_ascii_digit() && !before.is_ascii_digit() => card(text, is_last),
            _ => Found::Nothing,
        }
    }
}

/// A card number in groups of any size, between which there is a space or a hyphen. Of several that begin here, the longest.
fn card(text: &[u8], is_last: bool) -> Found {
    let (mut digits, mut found) = (Vec::with_capacity(*CARD.end()), Found::Nothing);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' if digits.len() == *CARD.end() => return found,
            b'0'..=b'9' => {
                digits.push(byte - b'0');
                continue;
            }
            _ => found = number(&digits, at).unwrap_or(found),
        }
        let goes_on = matches!(byte, b' ' | b'-') && text.get(at + 1).is_none_or(u8::is_ascii_digit);
        if !goes_on {
            return found;
        }
        if at + 1 == text.len() {
            break;
        }
    }
    match is_last {
        true if text.last().is_some_and(u8::is_ascii_digit) => number(&digits, text.len()).unwrap_or(found),
        true => found,
        false => Found::Undecided,
    }
}

fn number(digits: &[u8], length: usize) -> Option<Found> {
    (CARD.contains(&digits.len()) && has_check_digit(digits)).then_some(Found::Hit { length, shown: SHOWN })
}

/// The last digit is what it has to be (ISO/IEC 7812, annex B).
fn has_check_digit(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let places = digits.iter().rev().enumerate();
    let sum: u32 = places.map(|(place, digit)| u32::from(if place % 2 == 1 { doubled(*digit) } else { *digit })).sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}
