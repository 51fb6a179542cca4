//! A client that reads a response to its end and keeps nothing of it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);
const BUFFER: usize = 256 << 10;

/// What was seen of a response.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) length: u64,
    pub(super) first: Option<u8>,
    /// Whether the field is there that the filter sets.
    pub(super) is_filtered: bool,
}

/// How the end of the content is known.
enum Framing {
    Length(u64),
    Chunks,
}

/// Downloads a path on a connection of its own.
pub(super) fn get(address: SocketAddr, path: &str) -> io::Result<Seen> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes())?;
    read(BufReader::with_capacity(BUFFER, stream))
}

fn read(mut reader: impl BufRead) -> io::Result<Seen> {
    let mut seen = Seen::default();
    match head(&mut reader, &mut seen)? {
        Framing::Length(length) => skip(&mut reader, length, &mut seen)?,
        Framing::Chunks => loop {
            let size = line(&mut reader)?;
            let size = u64::from_str_radix(&size, 16).map_err(|_| invalid("chunk size"))?;
            if size == 0 {
                break;
            }
            skip(&mut reader, size, &mut seen)?;
            line(&mut reader)?;
        },
    }
    Ok(seen)
}

fn head(reader: &mut impl BufRead, seen: &mut Seen) -> io::Result<Framing> {
    if line(reader)?.split(' ').nth(1) != Some("200") {
        return Err(invalid("status, which is not 200"));
    }
    let mut framing = None;
    loop {
        let field = line(reader)?.to_ascii_lowercase();
        match field.split_once(':').map(|(name, value)| (name, value.trim())) {
            None => return framing.ok_or_else(|| invalid("framing")),
            Some(("content-length", value)) => {
                framing = Some(Framing::Length(value.parse().map_err(|_| invalid("content-length"))?));
            }
            Some(("transfer-encoding", "chunked")) => framing = Some(Framing::Chunks),
            Some(("x-work", _)) => seen.is_filtered = true,
            Some(_) => {}
        }
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.take(8 << 10).read_line(&mut line)?;
    line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| invalid("line"))
}

fn skip(reader: &mut impl BufRead, mut left: u64, seen: &mut Seen) -> io::Result<()> {
    while left > 0 {
        let there = reader.fill_buf()?;
        if there.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        seen.first = seen.first.or(there.first().copied());
        let taken = left.min(there.len() as u64);
        reader.consume(taken as usize);
        (left, seen.length) = (left - taken, seen.length + taken);
    }
    Ok(())
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> io::Result<Seen> {
        read(BufReader::with_capacity(3, text.as_bytes()))
    }

    #[test]
    fn content_is_counted_in_either_framing() {
        let fixed = seen("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde").unwrap();
        assert_eq!(fixed, Seen { length: 5, first: Some(b'a'), is_filtered: false });
        let chunked = "HTTP/1.1 200 OK\r\nx-work: body\r\ntransfer-encoding: chunked\r\n\r\n4\r\n!bcd\r\na\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(seen(chunked).unwrap(), Seen { length: 14, first: Some(b'!'), is_filtered: true });
    }

    #[test]
    fn half_a_response_is_an_error() {
        for text in
            ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", "HTTP/1.1 502 No\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"]
        {
            assert!(seen(text).is_err(), "{text}");
        }
    }
}
