//! A name space in this process: concurrent maps without locks, bounded in bytes.
//!
//! Entries never change; whoever changes one puts another in its place by compare-and-swap. So readers share no cache line
//! that anybody writes to, counters are exact, and a swap sees every increment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use papaya::{Compute, HashMap, Operation};

use super::{Clock, MAX_KEY, MAX_VALUE, StoreError};
use crate::telemetry::{SpaceMetrics, StoreOperation};

/// What an entry costs besides its key and its value: the map's slot, the allocations of the entry and of its key.
const OVERHEAD: u64 = 128;

/// How many milliseconds an entry is kept that has no time to live.
const FOR_GOOD: u64 = u64::MAX;

type Map<V> = HashMap<Box<[u8]>, V>;
type Outcome<T> = Result<T, StoreError>;

/// The entries of one name space. Lives as long as any policy that uses it, so a reload leaves them as they are.
#[derive(Debug)]
pub struct Space {
    values: Map<Value>,
    leases: Map<Lease>,
    /// Bytes in use. Only what makes the space larger or smaller touches it.
    used: AtomicU64,
    limit: AtomicU64,
    clock: Clock,
    metrics: Arc<SpaceMetrics>,
}

/// A space at a moment, in milliseconds since it was made.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    space: &'a Space,
    now: u64,
}

/// An entry, until its time is over.
trait Entry {
    /// When it is over.
    fn expires(&self) -> u64;

    /// The bytes of its value.
    fn size(&self) -> usize;
}

#[derive(Debug)]
struct Value {
    content: Content,
    expires: u64,
}

#[derive(Debug)]
enum Content {
    Bytes(Box<[u8]>),
    Counter(i64),
}

#[derive(Debug)]
struct Lease {
    token: u64,
    expires: u64,
}

/// What becomes of an entry, and the answer to whoever asked.
enum Step<V, T> {
    Put(V, T),
    Leave(Outcome<T>),
}

impl Space {
    /// An empty space of at most that many bytes.
    #[must_use]
    pub fn new(limit: u64, metrics: Arc<SpaceMetrics>) -> Self {
        Self::by(Clock::default(), limit, metrics)
    }

    /// As `new`, where times to live are counted by that clock.
    #[must_use]
    pub fn by(clock: Clock, limit: u64, metrics: Arc<SpaceMetrics>) -> Self {
        Self {
            values: HashMap::new(),
            leases: HashMap::new(),
            used: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
            clock,
            metrics,
        }
    }

    /// The space now.
    #[must_use]
    pub fn now(&self) -> Moment<'_> {
        self.at(u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Another bound. What is beyond a smaller one stays until it is removed or its time is over.
    pub fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Forgets what is over and tells how much is left. Called now and then, off the request path.
    pub fn sweep(&self) {
        let now = self.now();
        now.forget(&self.values);
        now.forget(&self.leases);
        let entries = self.values.len() + self.leases.len();
        self.metrics.set_holdings(entries as u64, self.used.load(Ordering::Relaxed));
    }

    /// As `sweep`, if that may make room that is needed soon.
    pub fn sweep_if_crowded(&self) {
        if self.used.load(Ordering::Relaxed) > self.limit.load(Ordering::Relaxed) / 2 {
            self.sweep();
        }
    }

    fn at(&self, now: u64) -> Moment<'_> {
        Moment { space: self, now }
    }

    /// Makes room for more, if there is any.
    fn reserve(&self, bytes: u64) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let used = self.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if used > limit {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.refused();
        }
        used <= limit
    }

    /// Corrects what was reserved for the change of an entry.
    fn settle(&self, before: u64, after: u64, reserved: u64) {
        let correction = after.wrapping_sub(before).wrapping_sub(reserved);
        if correction != 0 {
            self.used.fetch_add(correction, Ordering::Relaxed);
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.metrics.set_holdings(0, 0);
    }
}

impl Moment<'_> {
    /// The value of a key; a counter as decimal digits.
    pub fn get(self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        self.begin(StoreOperation::Get, key)?;
        let values = self.space.values.pin();
        Ok(values.get(key).filter(|value| self.lives(*value)).map(|value| value.content.to_vec()))
    }

    /// The value of a key, and whether somebody has its lease, for one who only looks on.
    #[must_use]
    pub fn peek(self, key: &[u8]) -> (Option<Vec<u8>>, bool) {
        let (values, leases) = (self.space.values.pin(), self.space.leases.pin());
        let value = values.get(key).filter(|value| self.lives(*value)).map(|value| value.content.to_vec());
        (value, leases.get(key).is_some_and(|lease| self.lives(lease)))
    }

    /// Sets the value of a key.
    pub fn set(self, key: &[u8], value: &[u8], ttl_ms: u64) -> Outcome<()> {
        self.begin(StoreOperation::Set, key)?;
        let expires = self.until(ttl_ms);
        let content = bounded(value)?;
        self.change(&self.space.values, key, |_| Step::Put(Value { content: content.into(), expires }, ()))
    }

    /// Removes the value of a key; whether there was one.
    pub fn delete(self, key: &[u8]) -> Outcome<bool> {
        self.begin(StoreOperation::Delete, key)?;
        let values = self.space.values.pin();
        let removed = values.remove(key);
        Ok(removed.is_some_and(|value| {
            self.space.settle(cost(key, value), 0, 0);
            self.lives(value)
        }))
    }

    /// Sets the value of a key if it is the expected one; whether it was.
    pub fn compare_and_swap(self, key: &[u8], expected: Option<&[u8]>, value: &[u8], ttl_ms: u64) -> Outcome<bool> {
        self.begin(StoreOperation::CompareAndSwap, key)?;
        let expires = self.until(ttl_ms);
        let content = bounded(value)?;
        self.change(&self.space.values, key, |old| {
            let is_expected = match (old, expected) {
                (Some(old), Some(expected)) => old.content.is(expected),
                (None, None) => true,
                _ => false,
            };
            if is_expected {
                Step::Put(Value { content: content.into(), expires }, true)
            } else {
                Step::Leave(Ok(false))
            }
        })
    }

    /// Adds to a counter; what it is then.
    pub fn increment(self, key: &[u8], by: i64, ttl_ms: u64) -> Outcome<i64> {
        self.begin(StoreOperation::Increment, key)?;
        self.change(&self.space.values, key, |old| {
            let (count, expires) = match old {
                Some(old) => (old.content.count(), old.expires),
                None => (Some(0), self.until(ttl_ms)),
            };
            match count.and_then(|count| count.checked_add(by)) {
                Some(sum) => Step::Put(Value { content: Content::Counter(sum), expires }, sum),
                None => Step::Leave(Err(StoreError::NotACounter)),
            }
        })
    }

    /// Takes a lease, unless somebody has it: the token of its holder.
    pub fn acquire(self, key: &[u8], ttl_ms: u64) -> Outcome<Option<u64>> {
        self.begin(StoreOperation::Acquire, key)?;
        let (token, expires) = (super::token(), self.until(ttl_ms.max(1)));
        self.change(&self.space.leases, key, |old| match old {
            Some(_) => Step::Leave(Ok(None)),
            None => Step::Put(Lease { token, expires }, Some(token)),
        })
    }

    /// Has a lease for longer; whether the holder still had it.
    pub fn renew(self, key: &[u8], token: u64, ttl_ms: u64) -> Outcome<bool> {
        self.begin(StoreOperation::Renew, key)?;
        let expires = self.until(ttl_ms.max(1));
        self.change(&self.space.leases, key, |old| match old {
            Some(lease) if lease.token == token => Step::Put(Lease { token, expires }, true),
            _ => Step::Leave(Ok(false)),
        })
    }

    /// Gives a lease back; whether the holder still had it.
    pub fn release(self, key: &[u8], token: u64) -> Outcome<bool> {
        self.begin(StoreOperation::Release, key)?;
        let leases = self.space.leases.pin();
        let removed = leases.remove_if(key, |_, lease| lease.token == token);
        Ok(removed.ok().flatten().is_some_and(|(key, lease)| {
            self.space.settle(cost(key, lease), 0, 0);
            self.lives(lease)
        }))
    }

    /// Counts an operation and looks at its key.
    fn begin(self, operation: StoreOperation, key: &[u8]) -> Outcome<()> {
        self.space.metrics.operated(operation);
        if (1..=MAX_KEY).contains(&key.len()) { Ok(()) } else { Err(StoreError::TooLarge) }
    }

    /// Puts another entry in the place of one, as `decide` says of what is there and not over. It may be asked several times,
    /// if others change the entry meanwhile.
    fn change<V: Entry, T>(
        self,
        map: &Map<V>,
        key: &[u8],
        mut decide: impl FnMut(Option<&V>) -> Step<V, T>,
    ) -> Outcome<T> {
        let (space, mut reserved, mut answer) = (self.space, 0, Err(StoreError::Full));
        let entries = map.pin();
        let changed = entries.compute(key.into(), |there| {
            let old = there.map(|(_, entry)| entry);
            match decide(old.filter(|entry| self.lives(*entry))) {
                Step::Leave(outcome) => {
                    answer = outcome;
                    Operation::Abort(())
                }
                Step::Put(new, outcome) => {
                    let grows = cost(key, &new).saturating_sub(old.map_or(0, |old| cost(key, old)));
                    if grows > reserved && !space.reserve(grows - reserved) {
                        answer = Err(StoreError::Full);
                        return Operation::Abort(());
                    }
                    reserved = reserved.max(grows);
                    answer = Ok(outcome);
                    Operation::Insert(new)
                }
            }
        });
        match changed {
            Compute::Inserted(_, new) => space.settle(0, cost(key, new), reserved),
            Compute::Updated { old: (_, old), new: (_, new) } => {
                space.settle(cost(key, old), cost(key, new), reserved);
            }
            Compute::Removed(..) | Compute::Aborted(()) => space.settle(0, 0, reserved),
        }
        answer
    }

    fn forget<V: Entry>(self, map: &Map<V>) {
        let entries = map.pin();
        for (key, _) in entries.iter().filter(|(_, entry)| !self.lives(*entry)) {
            if let Ok(Some((key, entry))) = entries.remove_if(key, |_, entry| !self.lives(entry)) {
                self.space.settle(cost(key, entry), 0, 0);
            }
        }
    }

    fn lives(self, entry: &impl Entry) -> bool {
        entry.expires() > self.now
    }

    fn until(self, ttl_ms: u64) -> u64 {
        if ttl_ms == 0 { FOR_GOOD } else { self.now.saturating_add(ttl_ms) }
    }
}

fn bounded(value: &[u8]) -> Outcome<&[u8]> {
    if value.len() <= MAX_VALUE { Ok(value) } else { Err(StoreError::TooLarge) }
}

fn cost(key: &[u8], entry: &impl Entry) -> u64 {
    OVERHEAD + (key.len() + entry.size()) as u64
}

impl Entry for Value {
    fn expires(&self) -> u64 {
        self.expires
    }

    fn size(&self) -> usize {
        match &self.content {
            Content::Bytes(bytes) => bytes.len(),
            Content::Counter(_) => size_of::<i64>(),
        }
    }
}

impl Entry for Lease {
    fn expires(&self) -> u64 {
        self.expires
    }

    fn size(&self) -> usize {
        size_of::<u64>()
    }
}

impl From<&[u8]> for Content {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.into())
    }
}

impl Content {
    fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Counter(count) => count.to_string().into_bytes(),
        }
    }

    fn is(&self, expected: &[u8]) -> bool {
        match self {
            Self::Bytes(bytes) => **bytes == *expected,
            Self::Counter(count) => count.to_string().as_bytes() == expected,
        }
    }

    /// The number that it is, if it is one in the shortest form.
    fn count(&self) -> Option<i64> {
        match self {
            Self::Counter(count) => Some(*count),
            Self::Bytes(bytes) => {
                let text = std::str::from_utf8(bytes).ok()?;
                text.parse::<i64>().ok().filter(|count| count.to_string() == text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(limit: u64) -> Space {
        Space::new(limit, Arc::default())
    }

    #[test]
    fn values_live_as_long_as_they_may() {
        let space = space(1 << 20);
        space.at(0).set(b"a", b"1", 0).unwrap();
        space.at(0).set(b"b", b"2", 100).unwrap();
        assert_eq!(space.at(99).get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
        assert_eq!((space.at(100).get(b"b"), space.at(100).delete(b"b")), (Ok(None), Ok(false)));
        assert_eq!((space.at(u64::MAX - 1).delete(b"a"), space.at(0).delete(b"a")), (Ok(true), Ok(false)));
    }

    #[test]
    fn a_swap_needs_what_is_expected() {
        let space = space(1 << 20);
        let swap =
            |now, expected: Option<&[u8]>, value: &[u8]| space.at(now).compare_and_swap(b"a", expected, value, 10);
        assert_eq!(
            (swap(0, Some(b"x"), b"1"), swap(0, None, b"1"), swap(0, None, b"2")),
            (Ok(false), Ok(true), Ok(false))
        );
        assert_eq!((swap(1, Some(b"1"), b"2"), space.at(1).get(b"a")), (Ok(true), Ok(Some(b"2".to_vec()))));
        assert_eq!((swap(11, Some(b"2"), b"3"), swap(11, None, b"3")), (Ok(false), Ok(true)), "its time was over");
        space.at(0).increment(b"n", 5, 0).unwrap();
        assert_eq!(space.at(0).compare_and_swap(b"n", Some(b"5"), b"6", 0), Ok(true), "a counter is its digits");
    }

    #[test]
    fn a_counter_is_one_of_a_window() {
        let space = space(1 << 20);
        let increment = |now, by| space.at(now).increment(b"n", by, 100);
        assert_eq!((increment(0, 1), increment(99, 2), increment(99, -1)), (Ok(1), Ok(3), Ok(2)));
        assert_eq!(increment(100, 1), Ok(1), "the first call has begun the window");
        assert_eq!(space.at(100).get(b"n"), Ok(Some(b"1".to_vec())));
        assert_eq!((increment(101, i64::MAX), increment(101, 0)), (Err(StoreError::NotACounter), Ok(1)));
        for text in ["7", "-7", "07", "+7", " 7", "", "seven"] {
            space.at(0).set(b"n", text.as_bytes(), 0).unwrap();
            let is_number = ["7", "-7"].contains(&text);
            assert_eq!(increment(0, 1).is_ok(), is_number, "{text:?}");
        }
    }

    #[test]
    fn a_lease_is_its_holders_until_it_is_over() {
        let space = space(1 << 20);
        let first = space.at(0).acquire(b"a", 100).unwrap().unwrap();
        assert_eq!((space.at(99).acquire(b"a", 100), space.at(99).get(b"a")), (Ok(None), Ok(None)));
        assert_eq!(
            (space.at(50).renew(b"a", first, 100), space.at(50).renew(b"a", first ^ 1, 100)),
            (Ok(true), Ok(false))
        );
        let second = space.at(150).acquire(b"a", 100).unwrap().unwrap();
        assert_ne!(first, second);
        assert_eq!((space.at(151).renew(b"a", first, 9), space.at(151).release(b"a", first)), (Ok(false), Ok(false)));
        assert_eq!((space.at(151).release(b"a", second), space.at(151).release(b"a", second)), (Ok(true), Ok(false)));
        assert!(space.at(151).acquire(b"a", 1).unwrap().is_some());
    }

    #[test]
    fn a_full_space_takes_no_more_and_loses_nothing() {
        let space = space(3 * (OVERHEAD + 2));
        for key in [b"a", b"b", b"c"] {
            space.at(0).set(key, b"1", if key == b"c" { 10 } else { 0 }).unwrap();
        }
        assert_eq!(space.at(0).set(b"d", b"1", 0), Err(StoreError::Full));
        assert_eq!((space.at(0).set(b"a", b"12", 0), space.at(0).set(b"a", b"2", 0)), (Err(StoreError::Full), Ok(())));
        assert_eq!(
            (space.at(0).acquire(b"a", 10), space.at(0).increment(b"d", 1, 0)),
            (Err(StoreError::Full), Err(StoreError::Full))
        );
        assert_eq!(space.at(0).get(b"a"), Ok(Some(b"2".to_vec())));
        space.at(10).forget(&space.values);
        assert_eq!((space.at(10).set(b"d", b"1", 0), space.at(10).set(b"e", b"1", 0)), (Ok(()), Err(StoreError::Full)));
        assert_eq!((space.at(10).delete(b"a"), space.at(10).set(b"e", b"1", 0)), (Ok(true), Ok(())));
        space.set_limit(1 << 20);
        assert_eq!(space.at(10).set(b"f", b"1", 0), Ok(()));
    }

    #[test]
    fn what_is_there_is_what_is_counted() {
        let space = space(1 << 20);
        std::thread::scope(|scope| {
            for seed in 0..4u64 {
                let space = &space;
                scope.spawn(move || {
                    for turn in 0..5_000 {
                        let key = [(turn * 7 + seed) as u8 % 5];
                        let value = vec![0; (turn as usize * 13) % 50];
                        let moment = space.at(turn);
                        match (turn + seed) % 6 {
                            0 => moment.set(&key, &value, turn % 3).unwrap(),
                            1 => drop(moment.delete(&key).unwrap()),
                            2 => drop(moment.compare_and_swap(&key, None, &value, 1).unwrap()),
                            3 => drop(moment.increment(&key, 1, 2)),
                            4 => drop(moment.acquire(&key, 2).unwrap()),
                            _ => moment.forget(&space.values),
                        }
                    }
                });
            }
        });
        space.at(FOR_GOOD - 1).forget(&space.leases);
        for key in 0..5 {
            space.at(0).delete(&[key]).unwrap();
        }
        assert_eq!((space.values.len(), space.leases.len(), space.used.load(Ordering::Relaxed)), (0, 0, 0));
    }

    #[test]
    fn threads_together_count_exactly_and_one_has_the_lease() {
        let space = space(1 << 20);
        let leases: usize = std::thread::scope(|scope| {
            let work = || {
                let swap = || {
                    let old = space.at(0).get(b"s").unwrap();
                    let next = old.as_ref().map_or(1, |old| String::from_utf8_lossy(old).parse::<u32>().unwrap() + 1);
                    space.at(0).compare_and_swap(b"s", old.as_deref(), next.to_string().as_bytes(), 0).unwrap()
                };
                for _ in 0..1_000 {
                    space.at(0).increment(b"n", 1, 0).unwrap();
                    while !swap() {}
                }
                (0..1_000).filter(|_| space.at(0).acquire(b"l", 10).unwrap().is_some()).count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(
            (space.at(0).increment(b"n", 0, 0), space.at(0).get(b"s"), leases),
            (Ok(4_000), Ok(Some(b"4000".to_vec())), 1)
        );
    }

    #[test]
    fn keys_and_values_are_bounded() {
        let space = space(1 << 20);
        assert_eq!(space.at(0).set(b"", b"1", 0), Err(StoreError::TooLarge));
        assert_eq!(space.at(0).get(&[0; MAX_KEY + 1]), Err(StoreError::TooLarge));
        assert_eq!(space.at(0).set(&[0; MAX_KEY], &[0; MAX_VALUE], 0), Ok(()));
        assert_eq!(space.at(0).compare_and_swap(b"a", None, &[0; MAX_VALUE + 1], 0), Err(StoreError::TooLarge));
    }
}
