//! A server of gRPC's health protocol on HTTP/2 without TLS (RFC 9113), as little of it as a check needs.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// Answers `Check` with a status. Stops when dropped.
pub struct GrpcHealth {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    status: AtomicU8,
    asked: Mutex<Vec<Vec<u8>>>,
    stop: AtomicBool,
}

impl GrpcHealth {
    /// Answers with this `ServingStatus`: 1 serves, 2 does not.
    #[must_use]
    pub fn start(status: u8) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared { status: AtomicU8::new(status), ..Shared::default() });
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.stop.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers with this from now on.
    pub fn set_status(&self, status: u8) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// The messages that it has been sent, with their prefixes.
    #[must_use]
    pub fn asked(&self) -> Vec<Vec<u8>> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for GrpcHealth {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface)?;
        if preface != PREFACE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        write_frame(&mut stream, SETTINGS, 0, 0, &[])?;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head)?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut content = vec![0; length];
            stream.read_exact(&mut content)?;
            let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            match (head[3], head[4]) {
                (SETTINGS, flags) if flags & ACK == 0 => write_frame(&mut stream, SETTINGS, ACK, 0, &[])?,
                (PING, flags) if flags & ACK == 0 => write_frame(&mut stream, PING, ACK, 0, &content)?,
                (DATA, flags) => {
                    if !content.is_empty() {
                        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(content);
                    }
                    if flags & END_STREAM != 0 {
                        self.answer(&mut stream, id)?;
                    }
                }
                _ => {}
            }
        }
    }

    fn answer(&self, stream: &mut TcpStream, id: u32) -> io::Result<()> {
        // `:status: 200` is entry 8 of the static table (RFC 7541, appendix A).
        let head = [&[0x88][..], &literal("content-type", "application/grpc")].concat();
        write_frame(stream, HEADERS, END_HEADERS, id, &head)?;
        write_frame(stream, DATA, 0, id, &[0, 0, 0, 0, 2, 8, self.status.load(Ordering::SeqCst)])?;
        write_frame(stream, HEADERS, END_HEADERS | END_STREAM, id, &literal("grpc-status", "0"))
    }
}

/// A field that is not indexed, with its name (RFC 7541, section 6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

fn write_frame(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(id.to_be_bytes());
    frame.extend(content);
    stream.write_all(&frame)
}
