//! A small HTTP/1.1 client: one keep-alive connection, one request at a time, time-outs on everything.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A response, complete.
pub(super) struct Response {
    pub(super) status: u16,
    /// Names in lower case.
    fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    /// The first field of that name (lower case).
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// From the text that curl prints with `--include`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let response = Self::parse_head(head)?;
        Some(Self { body: body.as_bytes().to_vec(), ..response })
    }

    fn parse_head(head: &str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let fields = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self { status, fields, body: Vec::new() })
    }
}

/// A request on a connection of its own.
pub(super) fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
    Connection::open(address)?.get(path, headers)
}

/// A keep-alive connection. After an error it is of no further use.
pub(super) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    /// Bytes read and not yet used.
    ahead: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address, ahead: Vec::new() })
    }

    /// Sends a GET and reads the whole response.
    pub(super) fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
        self.send(path, headers)?;
        self.response()
    }

    /// Sends a GET.
    pub(super) fn send(&mut self, path: &str, headers: &[(&str, &str)]) -> io::Result<()> {
        let mut request = format!("GET {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            request.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        self.stream.write_all(request.as_bytes())
    }

    fn response(&mut self) -> io::Result<Response> {
        let head = self.until(b"\r\n\r\n")?;
        let mut response =
            Response::parse_head(&String::from_utf8_lossy(&head)).ok_or_else(|| invalid("response head"))?;
        response.body = if let Some(length) = response.field("content-length") {
            let length = length.parse().map_err(|_| invalid("content-length"))?;
            self.exactly(length)?
        } else if response.field("transfer-encoding").is_some_and(|value| value.ends_with("chunked")) {
            self.chunks()?
        } else if response.status == 204 || response.status == 304 {
            Vec::new()
        } else {
            self.rest()?
        };
        Ok(response)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = String::from_utf8_lossy(&self.until(b"\r\n")?).into_owned();
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| invalid("chunk size"))?;
            if size == 0 {
                break;
            }
            body.extend(self.exactly(size)?);
            self.until(b"\r\n")?;
        }
        while !self.until(b"\r\n")?.is_empty() {}
        Ok(body)
    }

    /// What comes before `mark`; the mark itself is dropped.
    fn until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.ahead.windows(mark.len()).position(|window| window == mark) {
                let part = self.ahead[..at].to_vec();
                self.ahead.drain(..at + mark.len());
                return Ok(part);
            }
            self.more()?;
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < length {
            self.more()?;
        }
        Ok(self.ahead.drain(..length).collect())
    }

    fn rest(&mut self) -> io::Result<Vec<u8>> {
        self.stream.read_to_end(&mut self.ahead)?;
        Ok(std::mem::take(&mut self.ahead))
    }

    fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed within a response")),
            count => {
                self.ahead.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers the first connection with `answer`, whatever it asks, and closes it.
    fn server(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _request = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn a_body_of_known_length() {
        let response = get(server("HTTP/1.1 200 OK\r\nX-A:  b \r\ncontent-length: 2\r\n\r\nhi"), "/", &[]).unwrap();
        assert_eq!((response.status, response.body.as_slice()), (200, &b"hi"[..]));
        assert_eq!(response.field("x-a"), Some("b"));
    }

    #[test]
    fn chunks_and_trailers() {
        let answer = "HTTP/1.1 401 No\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n1\r\n!\r\n0\r\nt: u\r\n\r\n";
        let response = get(server(answer), "/", &[]).unwrap();
        assert_eq!((response.status, response.body.as_slice()), (401, &b"hi!"[..]));
    }

    #[test]
    fn a_body_up_to_the_end() {
        assert_eq!(get(server("HTTP/1.0 200 OK\r\n\r\nall of it"), "/", &[]).unwrap().body, b"all of it");
    }

    #[test]
    fn what_curl_prints() {
        let response = Response::parse("HTTP/2 200 \r\nx-a: b\r\n\r\nhi").unwrap();
        assert_eq!((response.status, response.field("x-a"), &*response.body), (200, Some("b"), &b"hi"[..]));
        assert!(Response::parse("HTTP/2 200").is_none());
    }

    #[test]
    fn a_response_cut_short_is_an_error() {
        let error = get(server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi"), "/", &[]).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
