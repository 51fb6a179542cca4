//! A client that sends what it is told, byte for byte.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};

use crate::gate::PATIENCE;
use crate::message::{Fields, Head, Response};
use crate::wire::{Chunk, Framing, Wire, append_fields, encode_chunk, encode_last_chunk, framing};

/// A request to send.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    version: &'static str,
    fields: Fields,
    body: Body,
    trailers: Fields,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Full(Vec<u8>),
    Chunks(Vec<Vec<u8>>),
}

impl Request {
    /// `GET`.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// `POST` with content of known length.
    #[must_use]
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// Any method, without content.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self {
            method,
            target,
            version: "HTTP/1.1",
            fields: Fields::default(),
            body: Body::None,
            trailers: Fields::default(),
        }
    }

    /// As an HTTP/1.0 client sends it.
    #[must_use]
    pub fn http_10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    /// Adds a header field. `Host` is there without.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.add(name, value);
        self
    }

    /// Content of known length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Full(body.into());
        self
    }

    /// Content in chunks. With none, only the head is sent, and the chunks are up to the story.
    #[must_use]
    pub fn chunks<const N: usize>(mut self, chunks: [&str; N]) -> Self {
        self.body = Body::Chunks(chunks.map(|chunk| chunk.as_bytes().to_vec()).into());
        self
    }

    /// A trailer field of a chunked body.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.add(name, value);
        self
    }

    fn head(&self) -> Vec<u8> {
        let mut fields = self.fields.clone();
        if fields.all("host").is_empty() {
            fields.0.insert(0, ("host".to_owned(), "gateway.test".to_owned()));
        }
        match &self.body {
            Body::Full(body) if fields.all("content-length").is_empty() => {
                fields.add("content-length", &body.len().to_string());
            }
            Body::Chunks(_) => fields.add("transfer-encoding", "chunked"),
            Body::Full(_) | Body::None => {}
        }
        let mut text = format!("{} {} {}\r\n", self.method, self.target, self.version);
        append_fields(&mut text, &fields);
        text.into_bytes()
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.head();
        match &self.body {
            Body::None => {}
            Body::Full(body) => bytes.extend_from_slice(body),
            Body::Chunks(chunks) if chunks.is_empty() => {}
            Body::Chunks(chunks) => {
                chunks.iter().for_each(|chunk| bytes.extend(encode_chunk(chunk)));
                bytes.extend(encode_last_chunk(&self.trailers));
            }
        }
        bytes
    }
}

/// A connection to the gateway.
pub struct Connection {
    wire: Wire,
    /// The methods of the requests that are not answered yet: the answer to `HEAD` has no content.
    methods: std::collections::VecDeque<String>,
}

impl Connection {
    /// Connects.
    #[must_use]
    #[track_caller]
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    /// Connects, if somebody listens.
    ///
    /// # Errors
    /// If nobody does.
    pub fn try_open(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE)?)
    }

    /// Connects from an address of this machine, such as 127.0.0.2.
    #[must_use]
    #[track_caller]
    pub fn open_from(source: IpAddr, address: SocketAddr) -> Self {
        let connect = || -> io::Result<Self> {
            let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
            socket.bind(&SocketAddr::new(source, 0).into())?;
            socket.connect_timeout(&address.into(), PATIENCE)?;
            Self::over(socket.into())
        };
        connect().unwrap_or_else(|error| panic!("cannot connect from {source} to {address}: {error}"))
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { wire: Wire::new(stream), methods: std::collections::VecDeque::new() })
    }

    /// The client's own address.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.wire.stream.local_addr().expect("a connected socket has an address")
    }

    /// The same connection, for another thread: to write while this one reads.
    #[must_use]
    pub fn another_hand(&self) -> Self {
        let stream = self.wire.stream.try_clone().expect("there are descriptors left");
        Self { wire: Wire::new(stream), methods: std::collections::VecDeque::new() }
    }

    /// Sends a request and reads the response.
    #[track_caller]
    pub fn request(&mut self, request: Request) -> Response {
        self.send(&request);
        self.response()
    }

    /// Sends a request, as far as it goes.
    #[track_caller]
    pub fn send(&mut self, request: &Request) {
        self.methods.push_back(request.method.clone());
        self.write(request.encode());
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire.write(bytes.as_ref()).unwrap_or_else(|error| panic!("cannot write: {error}"));
    }

    /// Sends bytes as they are, as far as the gateway takes them.
    pub fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.wire.write(bytes).is_ok()
    }

    /// Says that a request of this method is among the bytes that have been written.
    pub fn expect_answer_to(&mut self, method: &str) {
        self.methods.push_back(method.to_owned());
    }

    /// Sends a chunk of a request's body.
    #[track_caller]
    pub fn write_chunk(&mut self, data: impl AsRef<[u8]>) {
        self.write(encode_chunk(data.as_ref()));
    }

    /// Sends the end of a chunked body.
    #[track_caller]
    pub fn write_last_chunk(&mut self) {
        self.write(encode_last_chunk(&Fields::default()));
    }

    /// Sends that many bytes, or as many as the gateway takes; gives their number.
    #[track_caller]
    pub fn write_until_blocked(&mut self, most: u64) -> u64 {
        self.wire.write_until_blocked(most).unwrap_or_else(|error| panic!("cannot write: {error}"))
    }

    /// Says that nothing more will be sent.
    pub fn finish_writing(&mut self) {
        let _ = self.wire.stream.shutdown(Shutdown::Write);
    }

    /// Sends a request and reads the response, if there is one.
    ///
    /// # Errors
    /// If the connection breaks before the response has begun.
    pub fn try_request(&mut self, request: &Request) -> io::Result<Response> {
        self.methods.push_back(request.method.clone());
        self.wire.write(&request.encode())?;
        let head = self.wire.head()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.rest_of_response(head)
    }

    /// Reads a response to its end, or to where it is cut.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        let head = self.head();
        self.rest_of_response(head).unwrap_or_else(|error| panic!("no response: {error}"))
    }

    fn rest_of_response(&mut self, head: Head) -> io::Result<Response> {
        let status = head.status().ok_or_else(|| io::Error::other(format!("no status line: {head:?}")))?;
        let method = if status < 200 { None } else { self.methods.pop_front() };
        let silent = method.as_deref() == Some("HEAD") || status < 200 || status == 204 || status == 304;
        let framing = if silent { Framing::Length(0) } else { framing(&head.fields, Framing::UntilClose) };
        let content = self.wire.body(framing)?;
        Ok(Response {
            version: head.line.split(' ').next().unwrap_or_default().to_owned(),
            status,
            fields: head.fields,
            body: content.bytes,
            trailers: content.trailers,
            complete: content.complete,
        })
    }

    /// Reads the head of a response; its body is up to the story.
    #[track_caller]
    pub fn head(&mut self) -> Head {
        match self.wire.head() {
            Ok(Some(head)) => head,
            Ok(None) => panic!("the gateway closed the connection instead of answering"),
            Err(error) => panic!("no response: {error}"),
        }
    }

    /// Reads a chunk of a response; `None` if the body is cut.
    pub fn chunk(&mut self) -> Option<Chunk> {
        self.wire.chunk().ok()
    }

    /// Whatever comes next; nothing at the end.
    #[track_caller]
    pub fn some(&mut self) -> Vec<u8> {
        self.wire.some().unwrap_or_else(|error| panic!("cannot read: {error}"))
    }

    /// That many bytes, whatever they are.
    #[track_caller]
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let more = self.some();
            assert!(
                !more.is_empty(),
                "the end came after {} bytes: {:?}",
                bytes.len(),
                String::from_utf8_lossy(&bytes)
            );
            bytes.extend(more);
        }
        bytes
    }

    /// Waits until the gateway closes the connection; fails if it sends anything.
    #[track_caller]
    pub fn expect_close(&mut self) {
        match self.wire.some() {
            Ok(bytes) => assert!(bytes.is_empty(), "more came: {:?}", String::from_utf8_lossy(&bytes)),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "the connection stays open: {error}")
            }
        }
    }
}
