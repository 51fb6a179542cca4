//! The light load that goes on while files change: every answer but the right one is a failed request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::bench::http::Connection;
use crate::bench::scenarios::Scenario;

/// Keep-alive connections, enough that both workers have some.
const CONNECTIONS: usize = 4;
/// Between two requests of one connection.
const PAUSE: Duration = Duration::from_millis(5);

/// What became of the requests.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) slowest: Duration,
    pub(super) first_failure: Option<String>,
}

/// Threads that send requests until they are stopped.
pub(super) struct Background {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
}

impl Background {
    /// Opens the connections and begins.
    pub(super) fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = Connection::open(address)?;
            let stop = Arc::clone(&stop);
            threads.push(thread::spawn(move || send(connection, address, &stop)));
        }
        Ok(Self { stop, threads })
    }

    /// Ends the load and says what became of it.
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

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.slowest = self.slowest.max(other.slowest);
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    fn note(&mut self, outcome: Result<(), String>, took: Duration) {
        self.requests += 1;
        self.slowest = self.slowest.max(took);
        if let Err(failure) = outcome {
            self.failed += 1;
            self.first_failure.get_or_insert(failure);
        }
    }
}

fn send(mut connection: Connection, address: SocketAddr, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        let outcome = ask(&mut connection);
        let took = start.elapsed();
        if outcome.is_err() {
            // If the gateway is gone for good, each further request fails as well, and is counted.
            if let Ok(fresh) = Connection::open(address) {
                connection = fresh;
            }
        }
        tally.note(outcome, took);
        sleep(PAUSE);
    }
    tally
}

fn ask(connection: &mut Connection) -> Result<(), String> {
    let scenario = Scenario::Chain;
    match connection.get(scenario.path(), scenario.headers()) {
        Ok(response) if response.status == 200 && response.body.len() == scenario.body_length() => Ok(()),
        Ok(response) => Err(format!("status {}, {} bytes", response.status, response.body.len())),
        Err(error) => Err(error.to_string()),
    }
}
