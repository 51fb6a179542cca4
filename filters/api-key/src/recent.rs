//! Keys that have been found lately: a digest takes longer than everything else that this filter does, and most clients send
//! one request after another.

use std::cell::RefCell;

use subtle::ConstantTimeEq;

/// How many keys are remembered.
const PLACES: usize = 64;

/// Longer ones are not, in bytes.
const LONGEST: usize = 128;

/// Remembers known keys only, so nobody can push one out with keys that are made up.
#[derive(Default)]
pub(crate) struct Recent(RefCell<Vec<Option<Found>>>);

struct Found {
    key: Box<[u8]>,
    position: usize,
}

impl Recent {
    /// The position of a key, as `search` says if it is not remembered.
    ///
    /// Which place is looked at follows from what was sent, and the comparison there takes the same time whatever it finds, so
    /// the time tells nothing about keys that others have sent.
    pub(crate) fn find(&self, key: &[u8], search: impl FnOnce() -> Option<usize>) -> Option<usize> {
        let place = place(key);
        if let Some(Some(found)) = self.0.borrow().get(place)
            && bool::from(found.key.ct_eq(key))
        {
            return Some(found.position);
        }
        let position = search()?;
        if key.len() <= LONGEST {
            let mut places = self.0.borrow_mut();
            if places.is_empty() {
                places.resize_with(PLACES, || None);
            }
            places[place] = Some(Found { key: key.into(), position });
        }
        Some(position)
    }
}

fn place(key: &[u8]) -> usize {
    key.iter().fold(key.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte))) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_searched_once() {
        let recent = Recent::default();
        assert_eq!(recent.find(b"alice-key", || Some(3)), Some(3));
        assert_eq!(recent.find(b"alice-key", || panic!("it is known")), Some(3));
    }

    #[test]
    fn what_is_not_known_is_searched_again() {
        let recent = Recent::default();
        assert_eq!(recent.find(b"made-up", || None), None);
        assert_eq!(recent.find(b"made-up", || Some(0)), Some(0));
        let long = [b'x'; LONGEST + 1];
        assert_eq!((recent.find(&long, || Some(1)), recent.find(&long, || None)), (Some(1), None));
    }

    #[test]
    fn keys_that_share_a_place_are_told_apart() {
        let recent = Recent::default();
        let keys: Vec<String> = (0..PLACES * 4).map(|number| format!("key-{number}")).collect();
        for (position, key) in keys.iter().enumerate() {
            assert_eq!(recent.find(key.as_bytes(), || Some(position)), Some(position));
        }
        for (position, key) in keys.iter().enumerate() {
            assert_eq!(recent.find(key.as_bytes(), || Some(position)), Some(position));
        }
    }
}
