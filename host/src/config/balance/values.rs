//! Shares and sets of statuses.

use http::StatusCode;

/// A part of a whole, from 0 to 1, to the thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// So many thousandths.
    #[must_use]
    pub const fn per_mille(parts: u32) -> Self {
        Self(parts)
    }

    /// The share in thousandths.
    #[must_use]
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// How many of `whole` are within the share.
    #[must_use]
    pub fn of(self, whole: usize) -> usize {
        whole.saturating_mul(self.0 as usize) / 1_000
    }

    /// Whether `part` of `whole` is less than the share.
    #[must_use]
    pub fn is_more_than(self, part: usize, whole: usize) -> bool {
        part.saturating_mul(1_000) < whole.saturating_mul(self.0 as usize)
    }
}

/// A set of status codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses(Vec<(u16, u16)>);

impl Statuses {
    /// From the first to the last.
    #[must_use]
    pub fn range(first: u16, last: u16) -> Self {
        Self(vec![(first, last)])
    }

    /// Whether the status is in the set.
    #[must_use]
    pub fn contains(&self, status: StatusCode) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status.as_u16()))
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `"503"` or a class such as `"5xx"`.
    pub(in crate::config) fn add(&mut self, text: &str) -> Option<()> {
        let class = text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok());
        let range = match class {
            Some(class) => (class * 100, class.checked_mul(100)? + 99),
            None => text.parse().map(|status| (status, status)).ok()?,
        };
        (text.len() == 3 && (100..=599).contains(&range.0)).then(|| self.0.push(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down_and_compared_without_rounding() {
        assert_eq!(Share::per_mille(500).of(5), 2);
        assert_eq!(Share::per_mille(1_000).of(5), 5);
        assert!(Share::per_mille(300).is_more_than(1, 4));
        assert!(!Share::per_mille(300).is_more_than(1, 3));
        assert!(!Share::per_mille(0).is_more_than(0, 3));
    }

    #[test]
    fn statuses_are_numbers_or_classes() {
        let mut statuses = Statuses::default();
        for good in ["503", "4xx"] {
            assert!(statuses.add(good).is_some(), "{good}");
        }
        for bad in ["", "5x", "xxx", "0xx", "6xx", "99", "600", "5000", "-50"] {
            assert!(statuses.add(bad).is_none(), "{bad}");
        }
        let contains = |code| statuses.contains(StatusCode::from_u16(code).unwrap());
        assert_eq!([503, 502, 400, 499, 500].map(contains), [true, false, true, true, false]);
    }
}
