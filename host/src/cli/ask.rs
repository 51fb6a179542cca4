//! Questions to a running gateway: over its own socket, or at the address of its admin pages.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::deploy::Home;

/// The most that is read of an answer, in bytes.
const MAX_ANSWER: u64 = 16 << 20;
/// How long a gateway may take to be reached, and how long it may say nothing.
const PATIENCE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);

/// Where a gateway is asked.
#[derive(Clone, Debug)]
pub(super) enum Door {
    /// In the folder that is its own.
    Home(Home),
    /// The admin pages.
    Address(SocketAddr),
}

/// A way to and from the gateway.
trait Stream: Read + Write + Send {}
impl Stream for UnixStream {}
impl Stream for TcpStream {}

impl Door {
    /// A page, which has to be JSON.
    pub(super) fn page(&self, path: &str) -> Result<Value, String> {
        match self.send("GET", path, "") {
            Ok((200, body)) => serde_json::from_slice(&body).map_err(|error| format!("{path} of the gateway: {error}")),
            Ok((status, body)) => {
                Err(format!("the gateway answers {status}: {}", String::from_utf8_lossy(&body).trim()))
            }
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    /// Why there was no answer.
    pub(super) fn unreachable(&self, error: &io::Error) -> String {
        match (self, error.kind()) {
            (Self::Home(home), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                format!("no gateway runs with {}", home.path().display())
            }
            (Self::Address(address), io::ErrorKind::ConnectionRefused) => {
                format!("no gateway has its admin pages at {address}")
            }
            _ => format!("the gateway cannot be asked: {error}"),
        }
    }

    /// One request on a connection of its own: status and content of the answer.
    pub(super) fn send(&self, method: &str, path: &str, body: &str) -> io::Result<(u16, Vec<u8>)> {
        let mut answer = Vec::new();
        self.request(method, path, body)?.take(MAX_ANSWER).read_to_end(&mut answer)?;
        let (status, end) = head(&answer)?;
        Ok((status, answer.split_off(end)))
    }

    /// The lines of a page that does not end, from the first on.
    pub(super) fn lines(&self, path: &str) -> io::Result<impl Iterator<Item = io::Result<String>> + use<>> {
        let mut stream = BufReader::new(self.request("GET", path, "")?);
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if stream.read_until(b'\n', &mut answer)? == 0 {
                return Err(broken());
            }
        }
        match head(&answer)?.0 {
            200 => Ok(stream.lines()),
            status => Err(io::Error::other(format!("{path} is answered with {status}"))),
        }
    }

    /// In HTTP/1.0, as an answer to that ends where its connection does.
    fn request(&self, method: &str, path: &str, body: &str) -> io::Result<Box<dyn Stream>> {
        let mut stream = self.connect()?;
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.0\r\nhost: gateway\r\ncontent-length: {length}\r\n\r\n{body}")?;
        Ok(stream)
    }

    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Home(home) => {
                let stream = of_home(home.path())?;
                stream.set_read_timeout(Some(SILENCE))?;
                Box::new(stream)
            }
            Self::Address(address) => {
                let stream = TcpStream::connect_timeout(address, PATIENCE)?;
                stream.set_read_timeout(Some(SILENCE))?;
                Box::new(stream)
            }
        })
    }
}

/// A name as a part of an address.
pub(super) fn encoded(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    name.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// By the descriptor of the folder, as the path of a socket must not be longer than 107 bytes.
fn of_home(home: &Path) -> io::Result<UnixStream> {
    let folder = File::open(home)?;
    UnixStream::connect(Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join("admin.sock"))
}

/// The status of an answer, and where its head ends.
fn head(answer: &[u8]) -> io::Result<(u16, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    match head.parse(answer) {
        Ok(httparse::Status::Complete(end)) => Ok((head.code.ok_or_else(broken)?, end)),
        _ => Err(broken()),
    }
}

fn broken() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}
