//! An upstream that speaks HTTP/2 frame by frame, and does with each connection as it is told.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::http2::{H2Frame, block, flag, frame, kind};

/// An upstream that is to be told what to do with each connection.
pub struct Http2Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

type Handler = dyn Fn(&mut Http2Call) -> io::Result<()> + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    settings: Vec<(u16, u32)>,
    connections: AtomicUsize,
    requests: AtomicUsize,
    streams: Mutex<Vec<TcpStream>>,
    stop: AtomicBool,
}

impl Http2Upstream {
    /// With these settings, and what to do on a connection once the preface has come. The connection closes after that.
    #[must_use]
    pub fn with(
        settings: &[(u16, u32)],
        handler: impl Fn(&mut Http2Call) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            settings: settings.to_vec(),
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            streams: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accepting.accept(&listener));
        Self { address, shared, thread: Some(thread) }
    }

    /// Answers each request with the number of its connection, from 0.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[], |call| {
            loop {
                let stream = call.request()?;
                call.answer(stream, &call.connection.to_string())?;
            }
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there have been.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many requests have begun.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Http2Upstream {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for stream in self.shared.streams.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let connection = self.connections.fetch_add(1, Ordering::SeqCst);
            self.streams.lock().unwrap_or_else(PoisonError::into_inner).extend(stream.try_clone());
            let shared = Arc::clone(&self);
            std::thread::spawn(move || {
                let mut call = Http2Call { stream, connection, shared: Arc::clone(&shared) };
                // The test sees what came of it at the other end.
                let _ = call.begin().and_then(|()| (shared.handler)(&mut call));
                let _ = call.stream.shutdown(Shutdown::Both);
            });
        }
    }
}

/// A connection at an upstream that does as it is told.
pub struct Http2Call {
    stream: TcpStream,
    /// Its number, from 0.
    pub connection: usize,
    shared: Arc<Shared>,
}

impl Http2Call {
    fn begin(&mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut preface = [0; 24];
        self.stream.read_exact(&mut preface)?;
        let setting = |(id, value): &(u16, u32)| [id.to_be_bytes().as_slice(), &value.to_be_bytes()].concat();
        let payload: Vec<u8> = self.shared.settings.iter().flat_map(setting).collect();
        self.send(kind::SETTINGS, 0, 0, &payload)
    }

    /// Waits for a request's head; gives its stream.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn request(&mut self) -> io::Result<u32> {
        let stream = self.next_of(kind::HEADERS)?.stream;
        self.shared.requests.fetch_add(1, Ordering::SeqCst);
        Ok(stream)
    }

    /// The content of a request, to its end.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn content(&mut self, stream: u32) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let frame = self.next_of(kind::DATA)?;
            if frame.stream == stream {
                content.extend(frame.payload);
                if frame.flags & flag::END_STREAM != 0 {
                    return Ok(content);
                }
            }
        }
    }

    /// The next frame of that kind, past all others.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn next_of(&mut self, kind: u8) -> io::Result<H2Frame> {
        loop {
            let frame = self.next_frame()?;
            if frame.kind == kind {
                return Ok(frame);
            }
        }
    }

    /// The next frame. Settings are acknowledged; pings are not.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn next_frame(&mut self) -> io::Result<H2Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload)?;
        if kind == kind::SETTINGS && flags & flag::ACK == 0 {
            self.send(kind::SETTINGS, flag::ACK, 0, &[])?;
        }
        Ok(H2Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// Answers with 200 and this content.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn answer(&mut self, stream: u32, content: &str) -> io::Result<()> {
        self.head(stream, &[(":status", "200")], false)?;
        self.send(kind::DATA, flag::END_STREAM, stream, content.as_bytes())
    }

    /// Sends a head, or trailers.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn head(&mut self, stream: u32, fields: &[(&str, &str)], ends: bool) -> io::Result<()> {
        let flags = flag::END_HEADERS | if ends { flag::END_STREAM } else { 0 };
        self.send(kind::HEADERS, flags, stream, &block(fields))
    }

    /// Resets a stream.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn reset(&mut self, stream: u32, code: u32) -> io::Result<()> {
        self.send(kind::RST_STREAM, 0, stream, &code.to_be_bytes())
    }

    /// Takes no more streams; this one was the last.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn go_away(&mut self, last: u32) -> io::Result<()> {
        self.send(kind::GOAWAY, 0, 0, &[last.to_be_bytes(), 0_u32.to_be_bytes()].concat())
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame(kind, flags, stream, payload))
    }
}
