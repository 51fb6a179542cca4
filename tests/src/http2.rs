//! HTTP/2 frame by frame, so that every one can be wrong (RFC 9113).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::gate::PATIENCE;

/// Types of frames (section 6).
#[allow(missing_docs, reason = "their names are in the RFC")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
#[allow(missing_docs, reason = "their names are in the RFC")]
pub mod flag {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
}

const HEADER_TABLE_SIZE: u16 = 1;

/// A frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct H2Frame {
    /// See [`kind`].
    pub kind: u8,
    /// See [`flag`].
    pub flags: u8,
    /// 0 for the connection.
    pub stream: u32,
    /// What is in it.
    pub payload: Vec<u8>,
}

impl H2Frame {
    /// The error code of `RST_STREAM` or `GOAWAY`.
    #[must_use]
    #[track_caller]
    pub fn code(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }

    /// The status in a block of fields, which is the first of them.
    #[must_use]
    #[track_caller]
    pub fn status(&self) -> u16 {
        assert_eq!(self.kind, kind::HEADERS, "{self:?}");
        // The first block says that there is no dynamic table, as the settings want it.
        let fields = self.payload.strip_prefix(&[0x20]).unwrap_or(&self.payload);
        match fields[0] {
            // Of the static table (RFC 7541, appendix A).
            index @ 0x88..=0x8e => [200, 204, 206, 304, 400, 404, 500][usize::from(index - 0x88)],
            _ => digits(&fields[1..]),
        }
    }
}

/// A connection with prior knowledge. Settings and pings of the gateway are acknowledged as they are read.
pub struct Http2 {
    stream: TcpStream,
}

impl Http2 {
    /// Connects, with the given settings.
    #[must_use]
    #[track_caller]
    pub fn open(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let stream =
            TcpStream::connect_timeout(&address, PATIENCE).unwrap_or_else(|error| panic!("{address}: {error}"));
        stream.set_nodelay(true).expect("it is a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("it is a socket");
        let mut connection = Self { stream };
        let setting = |(id, value): &(u16, u32)| [id.to_be_bytes().as_slice(), &value.to_be_bytes()].concat();
        let payload: Vec<u8> = [(HEADER_TABLE_SIZE, 0)].iter().chain(settings).flat_map(setting).collect();
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(kind::SETTINGS, 0, 0, &payload)].concat();
        connection.write(&preface).expect("the gateway reads");
        connection
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// If the gateway has closed.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a frame.
    #[track_caller]
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.write(&frame(kind, flags, stream, payload)).expect("the gateway reads");
    }

    /// Sends the head of a request without content.
    #[track_caller]
    pub fn get(&mut self, stream: u32, path: &str) {
        self.request(stream, &request("GET", path, "gateway.test"), true);
    }

    /// Sends the head of a request with these fields, as they are.
    #[track_caller]
    pub fn request(&mut self, stream: u32, fields: &[(&str, &str)], ends: bool) {
        let flags = flag::END_HEADERS | if ends { flag::END_STREAM } else { 0 };
        self.send(kind::HEADERS, flags, stream, &block(fields));
    }

    /// The next frame that is no settings and no ping; none if the gateway has closed.
    #[track_caller]
    pub fn next_frame(&mut self) -> Option<H2Frame> {
        loop {
            let frame = self.read()?;
            match frame.kind {
                kind::SETTINGS | kind::PING if frame.flags & flag::ACK == 0 => {
                    let payload = if frame.kind == kind::PING { frame.payload.as_slice() } else { &[] };
                    // It may have closed in the meantime.
                    let _ = self.write(&self::frame(frame.kind, flag::ACK, 0, payload));
                }
                kind::SETTINGS | kind::PING => {}
                _ => return Some(frame),
            }
        }
    }

    /// The next frame of that kind, past all others.
    #[must_use]
    #[track_caller]
    pub fn next_of(&mut self, kind: u8) -> H2Frame {
        loop {
            let frame =
                self.next_frame().unwrap_or_else(|| panic!("the gateway has closed before a frame of type {kind}"));
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// The next frame of any kind, and nothing is answered; none if the gateway has closed.
    #[track_caller]
    pub fn read(&mut self) -> Option<H2Frame> {
        let mut head = [0; 9];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                return None;
            }
            Err(error) => panic!("cannot read: {error}"),
        }
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload).ok()?;
        Some(H2Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// Sends content of a stream for as long as the gateway opens its windows; gives the number of bytes. As with
    /// `write_until_blocked`, it may come out too small, but never too large.
    #[track_caller]
    pub fn upload_until_blocked(&mut self, stream: u32, most: usize) -> usize {
        self.stream.set_read_timeout(Some(Duration::from_millis(500))).expect("it is a socket");
        let (mut windows, mut sent) = ([65_535_usize; 2], 0);
        while sent < most {
            let now = windows[0].min(windows[1]).min(16 << 10);
            if now > 0 {
                self.send(kind::DATA, 0, stream, &vec![b'x'; now]);
                windows = windows.map(|window| window - now);
                sent += now;
                continue;
            }
            let mut head = [0; 9];
            if self.stream.read_exact(&mut head).is_err() {
                break;
            }
            let mut payload = vec![0; usize::from(head[2]) + (usize::from(head[1]) << 8)];
            self.stream.read_exact(&mut payload).expect("frames are whole");
            let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().expect("four bytes")) as usize;
            match head[3] {
                kind::WINDOW_UPDATE => windows[usize::from(head[8] != 0)] += number(0),
                kind::SETTINGS => {
                    let initial = (0..payload.len()).step_by(6).find(|at| payload[*at..at + 2] == [0, 4]);
                    windows[1] += initial.map_or(0, |at| number(at + 2) - 65_535);
                }
                _ => {}
            }
        }
        sent
    }

    /// Reads until the gateway closes; gives what came.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<H2Frame> {
        std::iter::from_fn(|| self.next_frame()).collect()
    }
}

/// A frame as bytes.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The pseudo fields of a request.
#[must_use]
pub fn request<'a>(method: &'a str, path: &'a str, authority: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![(":method", method), (":scheme", "http"), (":path", path), (":authority", authority)]
}

/// A block of fields without any compression (RFC 7541, section 6.2.2).
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(text.len(), &mut block);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// With a prefix of seven bits (RFC 7541, section 5.1).
fn integer(mut value: usize, out: &mut Vec<u8>) {
    if value < 127 {
        out.push(value as u8);
        return;
    }
    out.push(127);
    value -= 127;
    while value >= 128 {
        out.push((value % 128 + 128) as u8);
        value /= 128;
    }
    out.push(value as u8);
}

/// Three digits, plain or in Huffman's code (RFC 7541, appendix B).
#[track_caller]
fn digits(text: &[u8]) -> u16 {
    let (is_coded, length, text) = (text[0] & 0x80 != 0, usize::from(text[0] & 0x7f), &text[1..]);
    if !is_coded {
        return String::from_utf8_lossy(&text[..3]).parse().expect("a status");
    }
    let bits = text[..length].iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
    let mut left = length * 8;
    let mut take = |count: usize| {
        left -= count;
        (bits >> left) & ((1 << count) - 1)
    };
    let mut status = 0;
    for _ in 0..3 {
        // 0, 1 and 2 have five bits, the others six.
        let digit = match take(5) {
            short @ 0..=2 => short,
            long => ((long << 1) | take(1)) - 0x19 + 3,
        };
        status = status * 10 + u16::try_from(digit).expect("a digit");
    }
    status
}
