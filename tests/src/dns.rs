//! A name server that says what it is told to (RFC 1035), over UDP.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

const A: u16 = 1;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const SERVER_FAILURE: u8 = 2;

/// A running name server. Stops when dropped.
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// By name and kind: lifetime in seconds, and content.
type Records = HashMap<(String, u16), Vec<(u32, Vec<u8>)>>;

#[derive(Default)]
struct Shared {
    records: Mutex<Records>,
    fails: AtomicBool,
    questions: AtomicU32,
    stop: AtomicBool,
}

impl NameServer {
    /// Knows nothing yet.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it starts a thread")]
    pub fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout can be set");
        let address = socket.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serving.serve(&socket));
        Self { address, shared, thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the name has these addresses, for so many seconds.
    pub fn set<const N: usize>(&self, name: &str, seconds: u32, addresses: [&str; N]) {
        let mut records = self.shared.records();
        let addresses = addresses.map(|address| address.parse::<IpAddr>().expect("an address"));
        let of = |kind| {
            let content = |address: &IpAddr| match address {
                IpAddr::V4(address) if kind == A => Some((seconds, address.octets().to_vec())),
                IpAddr::V6(address) if kind == AAAA => Some((seconds, address.octets().to_vec())),
                _ => None,
            };
            addresses.iter().filter_map(content).collect()
        };
        records.insert((name.to_owned(), A), of(A));
        records.insert((name.to_owned(), AAAA), of(AAAA));
    }

    /// From now on the service has these servers: priority, weight, port, name.
    pub fn set_service<const N: usize>(&self, name: &str, seconds: u32, servers: [(u16, u16, u16, &str); N]) {
        let content = |(priority, weight, port, target): (u16, u16, u16, &str)| {
            let mut content: Vec<u8> = [priority, weight, port].into_iter().flat_map(u16::to_be_bytes).collect();
            content.extend(encode_name(target));
            (seconds, content)
        };
        self.shared.records().insert((name.to_owned(), SRV), servers.map(content).into());
    }

    /// Whether it can answer at all.
    pub fn fail(&self, fails: bool) {
        self.shared.fails.store(fails, Ordering::SeqCst);
    }

    /// How many questions there have been.
    #[must_use]
    pub fn questions(&self) -> u32 {
        self.shared.questions.load(Ordering::SeqCst)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, socket: &UdpSocket) {
        let mut packet = [0; 1500];
        while !self.stop.load(Ordering::SeqCst) {
            match socket.recv_from(&mut packet) {
                Ok((length, client)) => {
                    self.questions.fetch_add(1, Ordering::SeqCst);
                    if let Some(answer) = self.answer(&packet[..length]) {
                        let _ = socket.send_to(&answer, client);
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(_) => return,
            }
        }
    }

    /// The question comes back with what is known; whatever else was asked for is left out.
    fn answer(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let (header, rest) = packet.split_at_checked(12)?;
        let (name, length) = decode_name(rest)?;
        let kind = u16::from_be_bytes([*rest.get(length)?, *rest.get(length + 1)?]);
        let question = rest.get(..length + 4)?;
        let fails = self.fails.load(Ordering::SeqCst);
        let records = self.records().get(&(name, kind)).filter(|_| !fails).cloned().unwrap_or_default();
        let count = u16::try_from(records.len()).ok()?;
        let mut answer = header[..2].to_vec();
        answer.extend([0x81, 0x80 | if fails { SERVER_FAILURE } else { 0 }, 0, 1]);
        answer.extend(count.to_be_bytes());
        answer.extend([0, 0, 0, 0]);
        answer.extend(question);
        for (seconds, content) in records {
            // The name is that of the question, which begins behind the header.
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1]);
            answer.extend(seconds.to_be_bytes());
            answer.extend(u16::try_from(content.len()).ok()?.to_be_bytes());
            answer.extend(content);
        }
        Some(answer)
    }
}

fn encode_name(name: &str) -> Vec<u8> {
    let label = |label: &str| [&[u8::try_from(label.len()).expect("labels are short")], label.as_bytes()].concat();
    let mut bytes: Vec<u8> = name.split('.').flat_map(label).collect();
    bytes.push(0);
    bytes
}

/// The name in lower case, and how long it is in the packet.
fn decode_name(bytes: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 0);
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(bytes.get(at..at + length)?).to_lowercase());
        at += length;
    }
}
