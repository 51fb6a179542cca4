//! Which of several upstreams a request goes to.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use http::{HeaderMap, HeaderName, header};

use crate::message::ClientInfo;

/// Where requests of a route go, by the numbers of upstreams.
#[derive(Clone, Debug)]
pub enum Destination {
    /// Always there.
    One(usize),
    /// To each its share.
    Split(Split),
    /// By the class that a filter has given the request.
    ByClass(ByClass),
}

/// An upstream for each class of requests that is known here.
#[derive(Clone, Debug)]
pub struct ByClass {
    /// Classes and their upstreams.
    pub classes: Vec<(Box<str>, usize)>,
    /// Of requests without a class, or with one that is not among these.
    pub default: usize,
}

/// Shares of several upstreams.
#[derive(Clone, Debug)]
pub struct Split {
    /// The sum of the weights up to and with each upstream's own.
    bounds: Vec<(u64, usize)>,
    total: u64,
    sticky: Option<Sticky>,
}

/// What makes requests go to the same upstream again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// The value of a field.
    Field(HeaderName),
    /// The value of a cookie.
    Cookie(String),
    /// The client's address.
    ClientAddress,
}

impl Destination {
    /// The upstream for a request.
    #[must_use]
    pub fn pick(&self, fields: &HeaderMap, client: &ClientInfo, turns: &Turns, class: Option<&str>) -> usize {
        match self {
            Self::One(upstream) => *upstream,
            Self::Split(split) => split.pick(fields, client, turns),
            Self::ByClass(by_class) => by_class.pick(class),
        }
    }

    /// All upstreams that requests may go to, each with its weight.
    pub fn upstreams(&self) -> Vec<(usize, u64)> {
        match self {
            Self::One(upstream) => vec![(*upstream, 1)],
            Self::ByClass(ByClass { classes, default }) => {
                [*default].into_iter().chain(classes.iter().map(|(_, upstream)| *upstream)).map(|it| (it, 1)).collect()
            }
            Self::Split(split) => {
                let mut below = 0;
                let weight =
                    |(bound, upstream): &(u64, usize)| (*upstream, bound - std::mem::replace(&mut below, *bound));
                split.bounds.iter().map(weight).collect()
            }
        }
    }
}

impl ByClass {
    fn pick(&self, class: Option<&str>) -> usize {
        let found = class.and_then(|class| self.classes.iter().find(|(known, _)| **known == *class));
        found.map_or(self.default, |(_, upstream)| *upstream)
    }
}

impl Split {
    /// Shares by weight; at least one weight is not 0.
    #[must_use]
    pub fn new(weights: impl IntoIterator<Item = (usize, u32)>, sticky: Option<Sticky>) -> Self {
        let mut total = 0;
        let bound = |(upstream, weight): (usize, u32)| {
            total += u64::from(weight);
            (total, upstream)
        };
        let bounds = weights.into_iter().map(bound).collect();
        Self { bounds, total, sticky }
    }

    fn pick(&self, fields: &HeaderMap, client: &ClientInfo, turns: &Turns) -> usize {
        let known = self.sticky.as_ref().and_then(|sticky| sticky.point(fields, client));
        let point = known.unwrap_or_else(|| turns.split());
        // Scaled to the total: the high half of the product is below it.
        let place = ((u128::from(point) * u128::from(self.total)) >> 64) as u64;
        let found = self.bounds.iter().find(|(bound, _)| place < *bound).or(self.bounds.last());
        found.map_or(0, |(_, upstream)| *upstream)
    }
}

impl Sticky {
    /// A number that is the same for the same value on every worker, at any time; none if the request has no value.
    #[must_use]
    pub fn point(&self, fields: &HeaderMap, client: &ClientInfo) -> Option<u64> {
        match self {
            Self::Field(name) => fields.get(name).map(|value| spread(value.as_bytes())),
            Self::Cookie(name) => cookie(fields, name).map(spread),
            Self::ClientAddress => Some(spread(client.address_text.as_bytes())),
        }
    }
}

/// The value of the first cookie of that name (RFC 6265, section 4.2.1).
fn cookie<'a>(fields: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let pairs = fields.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// FNV-1a, and then the finalizer of MurmurHash3: all bits of the value count for the high ones of the number.
#[must_use]
pub fn spread(value: &[u8]) -> u64 {
    let hash = value
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Numbers that divide requests into shares, of one route on one worker. They are spread evenly (multiples of an irrational
/// number), so a share is right within a few requests after any number of them. What decides about mirrors is independent of
/// what decides about upstreams, so a mirror gets its share of every upstream's requests.
#[derive(Debug)]
pub struct Turns(Cell<u64>);

/// 1/p and 1/p² of 2⁶⁴, where p is the plastic number (p³ = p + 1).
const STEPS: [u64; 2] = [13_925_035_116_211_876_495, 10_511_698_010_929_265_437];

impl Default for Turns {
    /// Begins anywhere, so that workers do not all begin with the same upstream.
    fn default() -> Self {
        Self(Cell::new(RandomState::new().hash_one(())))
    }
}

impl Turns {
    /// The next request's number.
    fn split(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(1));
        self.0.get().wrapping_mul(STEPS[0])
    }

    /// Whether the next request is one of those that are mirrored.
    #[must_use]
    pub fn mirrors(&self, percent: u8) -> bool {
        self.0.set(self.0.get().wrapping_add(1));
        (u128::from(self.0.get().wrapping_mul(STEPS[1])) * 100) >> 64 < u128::from(percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> ClientInfo {
        ClientInfo::new(address.parse().unwrap(), "public".into(), "http")
    }

    fn fields(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())])
    }

    fn counts(split: Split, fields: impl Fn(usize) -> HeaderMap, requests: usize) -> [usize; 3] {
        let (to, turns, client) = (Destination::Split(split), Turns::default(), client("192.0.2.7:1"));
        let mut counts = [0; 3];
        (0..requests).for_each(|number| counts[to.pick(&fields(number), &client, &turns, None)] += 1);
        counts
    }

    #[test]
    fn shares_are_right_after_few_requests() {
        for requests in [100, 1_000, 10_000] {
            let got = counts(Split::new([(0, 90), (1, 10), (2, 0)], None), |_| HeaderMap::new(), requests);
            assert!(got[0].abs_diff(requests * 9 / 10) <= 3 && got[2] == 0, "{got:?}");
        }
        let got = counts(Split::new([(2, 0), (1, 1), (0, 0)], None), |_| HeaderMap::new(), 100);
        assert_eq!(got, [0, 100, 0]);
    }

    #[test]
    fn the_same_value_leads_to_the_same_upstream() {
        let sticky = Sticky::Cookie("user".into());
        let split = || Split::new([(0, 50), (1, 30), (2, 20)], Some(sticky.clone()));
        let same = counts(split(), |_| fields("cookie", "a=1; user=alice"), 50);
        assert!(same.contains(&50), "{same:?}");
        let got = counts(split(), |number| fields("cookie", &format!("user=u{number};b")), 10_000);
        assert!(
            got[0].abs_diff(5_000) < 250 && got[1].abs_diff(3_000) < 250 && got[2].abs_diff(2_000) < 250,
            "{got:?}"
        );
        let without = counts(split(), |_| fields("cookie", "xuser=alice; users=alice"), 100);
        assert!(without.iter().all(|count| *count > 0), "{without:?}");
    }

    #[test]
    fn a_class_that_is_not_known_takes_the_default() {
        let to = Destination::ByClass(ByClass { classes: vec![("canary".into(), 1), ("beta".into(), 2)], default: 0 });
        let (turns, client) = (Turns::default(), client("192.0.2.7:1"));
        let picked = [None, Some("canary"), Some("beta"), Some("other")]
            .map(|class| to.pick(&HeaderMap::new(), &client, &turns, class));
        assert_eq!(picked, [0, 1, 2, 0]);
    }

    #[test]
    fn what_is_sticky_does_not_depend_on_where_and_when() {
        let point = |sticky: Sticky| sticky.point(&fields("x-user", "alice"), &client("192.0.2.7:1234"));
        assert_eq!(point(Sticky::Field(HeaderName::from_static("x-user"))), Some(spread(b"alice")));
        assert_eq!(point(Sticky::ClientAddress), Some(spread(b"192.0.2.7")));
        assert_eq!(point(Sticky::Field(HeaderName::from_static("x-other"))), None);
        assert_eq!(spread(b"alice"), 3_821_251_815_001_557_236, "as in every version before");
    }

    #[test]
    fn a_mirror_gets_its_share_of_every_upstreams() {
        let (split, turns) = (Destination::Split(Split::new([(0, 1), (1, 1)], None)), Turns::default());
        let mut mirrored = [0_usize; 2];
        for _ in 0..10_000 {
            let upstream = split.pick(&HeaderMap::new(), &client("192.0.2.7:1"), &turns, None);
            mirrored[upstream] += usize::from(turns.mirrors(10));
        }
        assert!(mirrored.iter().all(|count| count.abs_diff(500) < 50), "{mirrored:?}");
        assert!((0..1_000).all(|_| turns.mirrors(100)));
        assert!((0..1_000).all(|_| !turns.mirrors(0)));
    }
}
