//! Clients that send one request after another until they are told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::client::{Connection, Request};
use crate::gate::eventually;
use crate::message::Response;

/// How many requests a client sends on a connection before it opens another: both ways in are wanted.
const REQUESTS_A_CONNECTION: usize = 10;

/// A steady load.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    request: Request,
    is_good: Box<dyn Fn(&Response) -> bool + Send + Sync>,
    stop: AtomicBool,
    answers: Vec<AtomicUsize>,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// That many clients that send this request; `is_good` says which answers are as they should be.
    #[must_use]
    pub fn start(
        address: SocketAddr,
        clients: usize,
        request: Request,
        is_good: impl Fn(&Response) -> bool + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            address,
            request,
            is_good: Box::new(is_good),
            stop: AtomicBool::new(false),
            answers: (0..clients).map(|_| AtomicUsize::new(0)).collect(),
            failures: Mutex::default(),
        });
        let client = |number| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.run(number))
        };
        let clients = (0..clients).map(client).collect();
        Self { shared, clients }
    }

    /// Waits until every client has had that many answers more, or something has failed.
    #[track_caller]
    pub fn go_on(&self, answers: usize) {
        let had: Vec<_> = self.shared.answers.iter().map(|count| count.load(Ordering::SeqCst)).collect();
        eventually("the load goes on", || {
            let far = |(count, had): (&AtomicUsize, &usize)| count.load(Ordering::SeqCst) >= had + answers;
            !self.shared.failures().is_empty() || self.shared.answers.iter().zip(&had).all(far)
        });
    }

    /// Ends the load; gives the number of answers. Not one request may have failed.
    #[track_caller]
    pub fn stop(self) -> usize {
        self.shared.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            assert!(client.join().is_ok(), "a client panicked");
        }
        let failures = self.shared.failures();
        assert!(failures.is_empty(), "{} requests failed: {:#?}", failures.len(), &failures[..failures.len().min(5)]);
        self.shared.answers.iter().map(|count| count.load(Ordering::SeqCst)).sum()
    }
}

impl Shared {
    fn failures(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, number: usize) {
        while !self.stop.load(Ordering::SeqCst) {
            if let Err(error) = self.connection(number) {
                self.failures().push(error.to_string());
            }
        }
    }

    fn connection(&self, number: usize) -> io::Result<()> {
        let mut connection = Connection::try_open(self.address)?;
        for _ in 0..REQUESTS_A_CONNECTION {
            let response = connection.try_request(&self.request)?;
            if !response.complete || !(self.is_good)(&response) {
                return Err(io::Error::other(format!("a wrong answer: {response:?}")));
            }
            self.answers[number].fetch_add(1, Ordering::SeqCst);
            if self.stop.load(Ordering::SeqCst) || response.field("connection") == Some("close") {
                break;
            }
        }
        Ok(())
    }
}
