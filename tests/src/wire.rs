//! HTTP/1.1 on a blocking socket: heads, bodies, chunks (RFC 9112). Strict where the tests look, and simple.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::message::{Fields, Head};

/// A chunk of a chunked body, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Content.
    Data(Vec<u8>),
    /// The last chunk, with the trailer fields.
    Last(Fields),
}

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// What was read of a body.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) trailers: Fields,
    pub(crate) complete: bool,
}

/// A socket and what has been read from it too early.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Makes the connection end with a reset. The last descriptor of it must be closed for that.
    pub(crate) fn reset(&mut self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Writes until the peer takes no more. Whoever is slow to take it looks the same as who takes nothing, so the number
    /// of bytes may come out too small, but never too large.
    pub(crate) fn write_until_blocked(&mut self, most: u64) -> io::Result<u64> {
        let patience = self.stream.write_timeout()?;
        self.stream.set_write_timeout(Some(Duration::from_millis(500)))?;
        let (piece, mut written) = ([b'x'; 64 << 10], 0);
        while written < most {
            match self.stream.write(&piece) {
                Ok(count) => written += count as u64,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                Err(error) => return Err(error),
            }
        }
        self.stream.set_write_timeout(patience)?;
        Ok(written)
    }

    /// The next head; none if the peer closes before it begins.
    pub(crate) fn head(&mut self) -> io::Result<Option<Head>> {
        let mut head = Head { line: String::new(), fields: Fields::default() };
        while head.line.is_empty() {
            match self.line()? {
                Some(line) => head.line = line,
                None => return Ok(None),
            }
        }
        head.fields = self.fields()?;
        Ok(Some(head))
    }

    /// All of a body, as far as it comes.
    pub(crate) fn body(&mut self, framing: Framing) -> io::Result<Content> {
        let mut content = Content::default();
        match framing {
            Framing::Length(length) => {
                content.complete = self.exactly(usize::try_from(length).unwrap_or(usize::MAX), &mut content.bytes)?;
            }
            Framing::UntilClose => {
                while self.fill()? > 0 {}
                content.bytes.append(&mut self.buffer);
                content.complete = true;
            }
            Framing::Chunked => loop {
                match self.chunk() {
                    Ok(Chunk::Data(data)) => content.bytes.extend(data),
                    Ok(Chunk::Last(trailers)) => {
                        content.trailers = trailers;
                        content.complete = true;
                        break;
                    }
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                    Err(error) => return Err(error),
                }
            },
        }
        Ok(content)
    }

    /// The next chunk of a chunked body.
    pub(crate) fn chunk(&mut self) -> io::Result<Chunk> {
        let line = self.line()?.ok_or(ErrorKind::UnexpectedEof)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| invalid(&format!("chunk size {line:?}")))?;
        if size == 0 {
            return self.fields().map(Chunk::Last);
        }
        let mut data = Vec::new();
        let whole = self.exactly(size, &mut data)?;
        if !whole || self.line()?.is_none_or(|rest| !rest.is_empty()) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Chunk::Data(data))
    }

    /// Whatever comes next; nothing at the end.
    pub(crate) fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() {
            self.fill()?;
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    fn fields(&mut self) -> io::Result<Fields> {
        let mut fields = Fields::default();
        loop {
            let line = self.line()?.ok_or(ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&format!("field {line:?}")))?;
            fields.add(name, value.trim());
        }
    }

    /// A line without its end; none if the peer has closed before it.
    fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            if self.fill()? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// Appends that many bytes, or as many as come; says whether they all did.
    fn exactly(&mut self, count: usize, into: &mut Vec<u8>) -> io::Result<bool> {
        let mut missing = count;
        loop {
            let now = missing.min(self.buffer.len());
            into.extend(self.buffer.drain(..now));
            missing -= now;
            if missing == 0 {
                return Ok(true);
            }
            match self.fill() {
                Ok(0) => return Ok(false),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                filled => filled?,
            };
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 64 << 10];
        let count = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}

/// The framing that the fields promise.
pub(crate) fn framing(fields: &Fields, without: Framing) -> Framing {
    if fields.all("transfer-encoding").iter().any(|value| value.to_ascii_lowercase().ends_with("chunked")) {
        return Framing::Chunked;
    }
    fields.get("content-length").map_or(without, |length| length.parse().map_or(without, Framing::Length))
}

/// A chunk as it is sent.
pub(crate) fn encode_chunk(data: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// The last chunk as it is sent.
pub(crate) fn encode_last_chunk(trailers: &Fields) -> Vec<u8> {
    let mut text = "0\r\n".to_owned();
    append_fields(&mut text, trailers);
    text.into_bytes()
}

/// Field lines and the empty line after them.
pub(crate) fn append_fields(text: &mut String, fields: &Fields) {
    for (name, value) in &fields.0 {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what.to_owned())
}
