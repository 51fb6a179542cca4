//! Sends spans to a collector, from a thread of its own. Nobody waits for it: the queue is bounded, and what does not fit, or
//! cannot be sent, is dropped and counted.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::{Finished, TraceMetrics, otlp};

/// How many exchanges may wait.
const QUEUE: usize = 2_048;
/// How many are sent at once, and how long the first of them waits for others.
const BATCH: usize = 256;
const DELAY: Duration = Duration::from_secs(1);
/// How long the collector may take for each step.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a program that ends waits for what is under way.
const PARTING: Duration = Duration::from_secs(3);
/// How much of an answer is read.
const ANSWER: u64 = 16 << 10;

/// Where spans are sent, as OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// The host, as it stands in an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path, such as `/v1/traces`.
    pub path: String,
}

/// The running thread. It ends when this is dropped and the rest has been sent.
#[derive(Debug)]
pub(super) struct Exporter {
    queue: SyncSender<Message>,
    metrics: Arc<TraceMetrics>,
}

enum Message {
    Finished(Finished),
    /// Whoever waits for what came before.
    Flush(SyncSender<()>),
}

impl Exporter {
    pub(super) fn start(to: Collector, service: String, metrics: Arc<TraceMetrics>) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(QUEUE);
        let sender = Sender { to, service, metrics: Arc::clone(&metrics), failing: false };
        std::thread::Builder::new().name("traces".into()).spawn(move || sender.run(&waiting))?;
        Ok(Self { queue, metrics })
    }

    pub(super) fn send(&self, finished: Finished) {
        let count = finished.spans.len() as u64;
        if self.queue.try_send(Message::Finished(finished)).is_err() {
            self.metrics.dropped.add(count);
        }
    }

    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(PARTING);
        }
    }
}

struct Sender {
    to: Collector,
    service: String,
    metrics: Arc<TraceMetrics>,
    failing: bool,
}

impl Sender {
    fn run(mut self, waiting: &Receiver<Message>) {
        while let Ok(first) = waiting.recv() {
            let (mut batch, mut flush) = (Vec::new(), None);
            let until = Instant::now() + DELAY;
            let mut next = Ok(first);
            loop {
                match next {
                    Ok(Message::Finished(finished)) => batch.push(finished),
                    Ok(Message::Flush(done)) => flush = Some(done),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
                if batch.len() >= BATCH || flush.is_some() {
                    break;
                }
                next = waiting.recv_timeout(until.saturating_duration_since(Instant::now()));
            }
            self.send(&batch);
            if let Some(done) = flush {
                // Whoever waited has gone if this fails.
                let _ = done.send(());
            }
        }
    }

    fn send(&mut self, batch: &[Finished]) {
        let count = batch.iter().map(|exchange| exchange.spans.len() as u64).sum();
        if count == 0 {
            return;
        }
        let sent = post(&self.to, &otlp::request(&self.service, batch));
        match &sent {
            Ok(()) => self.metrics.sent.add(count),
            Err(_) => self.metrics.dropped.add(count),
        }
        match &sent {
            Err(error) if !self.failing => {
                let Collector { host, port, .. } = &self.to;
                tracing::warn!(collector = %format_args!("{host}:{port}"), %error, "spans cannot be sent");
            }
            Ok(()) if self.failing => tracing::info!("spans can be sent again"),
            _ => {}
        }
        self.failing = sent.is_err();
    }
}

/// One request on a connection of its own: there is one a second at most unless there is much to send.
fn post(to: &Collector, body: &[u8]) -> io::Result<()> {
    let mut stream = connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Collector { host, port, path } = to;
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer)?;
    let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok());
    match status {
        Some(status) if answer.starts_with(b"HTTP/1.") && status.starts_with('2') => Ok(()),
        Some(status) => Err(io::Error::other(format!("the collector answered with {status}"))),
        None => Err(io::Error::other("the collector gave no answer")),
    }
}

fn connect(to: &Collector) -> io::Result<TcpStream> {
    let host = to.host.trim_start_matches('[').trim_end_matches(']');
    let mut failure = io::Error::other("the collector has no address");
    for address in (host, to.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
