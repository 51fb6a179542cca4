//! An upstream on a thread of its own: it echoes, or does as it is told.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde_json::json;

use crate::answer::Answer;
use crate::message::{Fields, Head};
use crate::wire::{Chunk, Framing, Wire, framing};

/// A request as it was received.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The request target.
    pub path: String,
    /// The header fields.
    pub fields: Fields,
    /// The content, as far as it has been read.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Fields,
    /// Whether the body has been read to its end.
    pub complete: bool,
}

impl Received {
    /// The value of the only field of that name.
    #[must_use]
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)
    }
}

/// A running upstream. Stops when dropped.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

type Handler = dyn Fn(&mut Call) -> io::Result<bool> + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    requests: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    /// Those that are open.
    streams: Mutex<Vec<(usize, TcpStream)>>,
    stop: AtomicBool,
}

impl Upstream {
    /// Answers every request with what it received, as JSON (see [`crate::Echo`]).
    #[must_use]
    pub fn start() -> Self {
        Self::listen(Box::new(answer_with_echo))
    }

    /// Answers every request with this, once its body has been read.
    #[must_use]
    pub fn answering(answer: Answer) -> Self {
        Self::listen(Box::new(move |call| {
            call.read_body()?;
            call.answer(&answer)
        }))
    }

    /// Does with each request as told: reads it, answers it, or not. The connection closes if that fails, and stays open
    /// if it succeeds with `true`.
    #[must_use]
    pub fn with(handler: impl Fn(&mut Call) -> io::Result<bool> + Send + Sync + 'static) -> Self {
        Self::listen(Box::new(handler))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far, in the order of their heads.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.shared.requests().clone()
    }

    /// The only request so far.
    #[must_use]
    #[track_caller]
    pub fn request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().unwrap_or_default()
    }

    /// How many connections there have been.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.streams().len()
    }

    /// Closes all open connections, as a server does that has waited for long enough.
    pub fn close_connections(&self) {
        for (_, stream) in self.shared.streams().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// As `start`, at an address of loopback.
    #[must_use]
    #[track_caller]
    pub fn start_at(address: SocketAddr) -> Self {
        Self::listen_at(address, Box::new(answer_with_echo))
    }

    fn listen(handler: Box<Handler>) -> Self {
        Self::listen_at((Ipv4Addr::LOCALHOST, 0).into(), handler)
    }

    fn listen_at(address: SocketAddr, handler: Box<Handler>) -> Self {
        let listener = TcpListener::bind(address).unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"));
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            handler,
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            streams: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accepting.accept(&listener));
        Self { address, shared, thread: Some(thread) }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.close_connections();
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<Received>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, Vec<(usize, TcpStream)>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            self.streams().extend(stream.try_clone().map(|stream| (number, stream)));
            let shared = Arc::clone(&self);
            std::thread::spawn(move || {
                // The test sees what came of it at the other end.
                let _ = shared.serve(stream);
                shared.streams().retain(|(other, _)| *other != number);
            });
        }
    }

    fn serve(self: &Arc<Self>, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut wire = Wire::new(stream);
        while let Some(head) = wire.head()? {
            let request = received(&head);
            let index = {
                let mut requests = self.requests();
                requests.push(request.clone());
                requests.len() - 1
            };
            let mut call = Call { request, wire, shared: Arc::clone(self), index };
            if !(self.handler)(&mut call)? {
                break;
            }
            wire = call.wire;
        }
        Ok(())
    }
}

/// One request at an upstream that does as it is told.
pub struct Call {
    /// The request's head, and its body once that has been read.
    pub request: Received,
    wire: Wire,
    shared: Arc<Shared>,
    index: usize,
}

impl Call {
    /// Reads the request's body to its end.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn read_body(&mut self) -> io::Result<Received> {
        let content = self.wire.body(framing(&self.request.fields, Framing::Length(0)))?;
        self.request.body = content.bytes;
        self.request.trailers = content.trailers;
        self.request.complete = content.complete;
        self.shared.requests()[self.index] = self.request.clone();
        if content.complete { Ok(self.request.clone()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// The next chunk of a chunked request.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn read_chunk(&mut self) -> io::Result<Chunk> {
        self.wire.chunk()
    }

    /// Whatever comes next; nothing at the end.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn read_some(&mut self) -> io::Result<Vec<u8>> {
        self.wire.some()
    }

    /// That many bytes, whatever they are.
    ///
    /// # Errors
    /// If the connection breaks before.
    pub fn read_exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            match self.wire.some()? {
                more if more.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => bytes.extend(more),
            }
        }
        Ok(bytes)
    }

    /// Says that nothing more will be sent.
    pub fn finish_writing(&mut self) {
        let _ = self.wire.stream.shutdown(Shutdown::Write);
    }

    /// Sends that many bytes, or as many as the other end takes; gives their number.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn write_until_blocked(&mut self, most: u64) -> io::Result<u64> {
        self.wire.write_until_blocked(most)
    }

    /// Waits until the other end has closed.
    pub fn wait_for_close(&mut self) {
        while self.wire.some().is_ok_and(|bytes| !bytes.is_empty()) {}
    }

    /// Answers; false if the answer closes the connection.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn answer(&mut self, answer: &Answer) -> io::Result<bool> {
        answer.play(&mut self.wire, &self.request.method)
    }

    /// Resets the connection, and whatever is on its way is lost.
    ///
    /// # Errors
    /// Never; so that a handler can end with it.
    pub fn reset(&mut self) -> io::Result<bool> {
        self.wire.reset();
        Ok(false)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write(bytes)
    }
}

fn answer_with_echo(call: &mut Call) -> io::Result<bool> {
    let received = call.read_body()?;
    call.answer(&echo(&received))
}

fn received(head: &Head) -> Received {
    let mut parts = head.line.split(' ').map(str::to_owned);
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    Received { method, path, fields: head.fields.clone(), ..Received::default() }
}

fn echo(request: &Received) -> Answer {
    let document = json!({
        "method": request.method,
        "path": request.path,
        "headers": request.fields.0,
        "body": String::from_utf8_lossy(&request.body),
        "trailers": request.trailers.0,
    });
    Answer::ok(document.to_string()).field("content-type", "application/json").field("server", "echo")
}

/// An address that refuses connections for as long as this lives: bound, but not listening.
pub struct ClosedPort(socket2::Socket);

impl ClosedPort {
    /// Takes a port that is free.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a port is not a default of anything")]
    pub fn new() -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("there are sockets");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("loopback has a free port");
        Self(socket)
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().ok().and_then(|address| address.as_socket()).expect("a bound socket has an address")
    }
}
