//! Who is let in: bounds on what is open at once, over all workers.

use std::cell::Cell;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use papaya::{Compute, HashMap, Operation};

use crate::telemetry::Refusal;

/// How much may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Client connections.
    pub connections: usize,
    /// Client connections of one address.
    pub per_address: Option<usize>,
    /// Requests under way.
    pub requests: usize,
    /// The part of `requests` that is a worker's own.
    pub share: usize,
}

/// What is open, and whether memory is short. One for the process's life.
#[derive(Debug, Default)]
pub struct Admission {
    connections: Line<AtomicUsize>,
    by_address: HashMap<IpAddr, usize>,
    requests: Line<Requests>,
}

/// What each request looks at, apart from what each connection changes.
#[derive(Debug, Default)]
struct Requests {
    short_of_memory: AtomicBool,
    borrowed: AtomicUsize,
}

/// A cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line<T>(T);

/// What one worker has under way. It counts by itself up to its share of the bound; what it has beyond that is borrowed from
/// the others, and only then they look at each other's counts.
#[derive(Debug, Default)]
pub struct UnderWay {
    count: Cell<usize>,
    borrowed: Cell<usize>,
}

/// A connection that was let in. Makes room for another when dropped.
#[derive(Debug)]
pub struct Admitted {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
}

impl Admission {
    /// Lets a connection in, or says why not.
    ///
    /// # Errors
    /// If it would be one too many.
    pub fn connect(self: &Arc<Self>, address: IpAddr, bounds: &Bounds) -> Result<Admitted, Refusal> {
        if self.is_short_of_memory() {
            return Err(Refusal::ConnectionMemory);
        }
        // Dropped on the ways out below, it gives back what it has taken so far.
        let mut admitted = Admitted { admission: Arc::clone(self), address: None };
        if self.connections.0.fetch_add(1, Ordering::Relaxed) >= bounds.connections {
            return Err(Refusal::Connections);
        }
        if let Some(most) = bounds.per_address {
            let client = client(address);
            if !self.add(client, most) {
                return Err(Refusal::ConnectionsPerAddress);
            }
            admitted.address = Some(client);
        }
        Ok(admitted)
    }

    /// Says whether there is memory for more. Told once a second.
    pub fn set_short_of_memory(&self, short: bool) {
        self.requests.0.short_of_memory.store(short, Ordering::Relaxed);
    }

    /// Whether nothing new may begin.
    #[must_use]
    pub fn is_short_of_memory(&self) -> bool {
        self.requests.0.short_of_memory.load(Ordering::Relaxed)
    }

    /// A request begins on a worker with that share.
    pub fn begin(&self, worker: &UnderWay, share: usize) {
        worker.count.set(worker.count.get() + 1);
        if worker.count.get() > share {
            worker.borrowed.set(worker.borrowed.get() + 1);
            self.requests.0.borrowed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A request has ended on a worker.
    pub fn end(&self, worker: &UnderWay) {
        worker.count.set(worker.count.get() - 1);
        if let Some(rest) = worker.borrowed.get().checked_sub(1) {
            worker.borrowed.set(rest);
            self.requests.0.borrowed.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether the request that has just begun may go on; `all` counts those of all workers, if that is of interest.
    ///
    /// # Errors
    /// If the gateway has too much to do.
    pub fn admit(&self, bounds: &Bounds, all: impl FnOnce() -> u64) -> Result<(), Refusal> {
        if self.is_short_of_memory() {
            return Err(Refusal::RequestMemory);
        }
        // As long as nobody has more than its share, the bound cannot have been reached.
        if self.requests.0.borrowed.load(Ordering::Relaxed) > 0 && all() > bounds.requests as u64 {
            return Err(Refusal::Requests);
        }
        Ok(())
    }

    fn add(&self, client: IpAddr, most: usize) -> bool {
        let more = |entry: Option<(&IpAddr, &usize)>| match entry {
            Some((_, open)) if *open >= most => Operation::Abort(()),
            Some((_, open)) => Operation::Insert(open + 1),
            None => Operation::Insert(1),
        };
        !matches!(self.by_address.pin().compute(client, more), Compute::Aborted(()))
    }

    fn remove(&self, client: IpAddr) {
        let less = |entry: Option<(&IpAddr, &usize)>| match entry {
            Some((_, open)) if *open > 1 => Operation::Insert(open - 1),
            Some(_) => Operation::Remove,
            None => Operation::Abort(()),
        };
        self.by_address.pin().compute(client, less);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.connections.0.fetch_sub(1, Ordering::Relaxed);
        if let Some(client) = self.address {
            self.admission.remove(client);
        }
    }
}

/// Whom an address stands for: with IPv6, a client has at least a network of 64 bits (RFC 6177).
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { connections: 3, per_address: Some(2), requests: 9, share: 9 };

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_bound_has_its_refusal_and_room_is_given_back() {
        let admission = Arc::new(Admission::default());
        let connect = |address| admission.connect(ip(address), &BOUNDS);
        let first = connect("192.0.2.1").expect("there is room");
        let second = connect("::ffff:192.0.2.1").expect("there is room");
        assert_eq!(connect("192.0.2.1").err(), Some(Refusal::ConnectionsPerAddress));
        let third = connect("192.0.2.2").expect("what was refused has not been counted");
        assert_eq!(connect("192.0.2.3").err(), Some(Refusal::Connections));
        drop((first, third));
        assert!(connect("192.0.2.1").is_ok());
        drop(second);
        assert!(admission.by_address.is_empty(), "nobody is remembered who is gone");
        assert_eq!(admission.connections.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_borrowed_makes_all_count_together() {
        let admission = Admission::default();
        let bounds = Bounds { requests: 4, share: 2, ..BOUNDS };
        let (one, two) = (UnderWay::default(), UnderWay::default());
        let begin = |worker: &UnderWay| {
            admission.begin(worker, bounds.share);
            admission.admit(&bounds, || (one.count.get() + two.count.get()) as u64)
        };
        assert_eq!([(); 4].map(|()| begin(&one)), [Ok(()); 4], "one may have all of it");
        assert_eq!(begin(&two), Err(Refusal::Requests), "and then the other has none");
        admission.end(&two);
        (0..2).for_each(|_| admission.end(&one));
        assert_eq!(admission.requests.0.borrowed.load(Ordering::Relaxed), 0);
        let nobody_asks = || unreachable!("nothing is borrowed");
        admission.begin(&two, bounds.share);
        assert_eq!(admission.admit(&bounds, nobody_asks), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        assert_eq!(client(ip("2001:db8:1:2:3::4")), client(ip("2001:db8:1:2:ffff::1")));
        assert_ne!(client(ip("2001:db8:1:2::1")), client(ip("2001:db8:1:3::1")));
    }

    #[test]
    fn without_memory_nobody_is_let_in() {
        let admission = Arc::new(Admission::default());
        admission.set_short_of_memory(true);
        assert_eq!(admission.connect(ip("::1"), &BOUNDS).err(), Some(Refusal::ConnectionMemory));
        admission.set_short_of_memory(false);
        assert!(admission.connect(ip("::1"), &BOUNDS).is_ok());
    }
}
