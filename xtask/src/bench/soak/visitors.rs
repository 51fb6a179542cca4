//! Clients of all kinds: some stay for many requests, some are refused, some leave in the middle of a response.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use crate::bench::http::Connection;
use crate::bench::scenarios::Scenario;

const THREADS: u64 = 8;
/// After each connection. A port whose connection has ended is taken for another minute: of 28,000 ports not more than
/// some 400 a second can be used.
const PAUSE: Duration = Duration::from_millis(25);

/// What became of the requests.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) connections: u64,
    pub(super) requests: u64,
    /// Connections that were left within a response.
    pub(super) left: u64,
    pub(super) failed: u64,
    pub(super) first_failure: Option<String>,
}

/// Threads that come and go until they are stopped.
pub(super) struct Visitors {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
}

impl Visitors {
    /// Begins.
    pub(super) fn start(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let visitor = |number| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || visit(address, number, &stop))
        };
        let threads = (0..THREADS).map(visitor).collect();
        Self { stop, threads }
    }

    /// Ends it and says what became of the requests.
    pub(super) fn stop(mut self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Tally::default();
        for thread in self.threads.drain(..) {
            // A thread that panicked has lost its tally; that must not pass for success.
            let panicked =
                Tally { failed: 1, first_failure: Some("the load itself failed".into()), ..Tally::default() };
            sum.add(thread.join().unwrap_or(panicked));
        }
        sum
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.connections += other.connections;
        self.requests += other.requests;
        self.left += other.left;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    fn fail(&mut self, failure: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(failure);
    }
}

fn visit(address: SocketAddr, thread: u64, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        let number = tally.connections * THREADS + thread;
        tally.connections += 1;
        let outcome = Connection::open(address)
            .map_err(|error| format!("no connection: {error}"))
            .and_then(|connection| converse(connection, number, &mut tally));
        if let Err(failure) = outcome {
            tally.fail(failure);
        }
        sleep(PAUSE);
    }
    tally
}

/// From one request to forty on a connection; each seventh is left within its last response.
fn converse(mut connection: Connection, number: u64, tally: &mut Tally) -> Result<(), String> {
    for request in 0..1 + number % 40 {
        ask(&mut connection, number + request)?;
        tally.requests += 1;
    }
    if number.is_multiple_of(7) {
        let scenario = Scenario::Body100k;
        connection.send(scenario.path(), Scenario::Chain.headers()).map_err(|error| error.to_string())?;
        tally.left += 1;
    }
    Ok(())
}

/// Most of them small, some large, some without a key.
fn ask(connection: &mut Connection, number: u64) -> Result<(), String> {
    let (scenario, headers, status) = match number % 16 {
        0 => (Scenario::Body100k, Scenario::Chain.headers(), 200),
        1 => (Scenario::Plain1k, Scenario::Plain1k.headers(), 401),
        _ => (Scenario::Plain1k, Scenario::Chain.headers(), 200),
    };
    let response = connection.get(scenario.path(), headers).map_err(|error| error.to_string())?;
    let complete = status != 200 || response.body.len() == scenario.body_length();
    if response.status != status || !complete {
        return Err(format!("status {} with {} bytes instead of {status}", response.status, response.body.len()));
    }
    Ok(())
}
