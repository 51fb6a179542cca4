//! An upstream that writes down what it gets, byte for byte, and reads it with a parser of its own that forgives nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A request of which there can be no doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certain {
    /// Method and target.
    pub line: String,
    /// The content.
    pub content: Vec<u8>,
}

#[derive(Debug, Default)]
struct Log {
    requests: Vec<Certain>,
    doubts: Vec<String>,
}

/// A recording upstream. Answers every request with `ok`. Stops when dropped.
pub struct Recorder {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts it.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (log, stop) = (Arc::new(Mutex::new(Log::default())), Arc::new(AtomicBool::new(false)));
        let (its_log, its_stop) = (Arc::clone(&log), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if its_stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), log) = (stream, Arc::clone(&its_log)) else { continue };
                std::thread::spawn(move || serve(stream, &log));
            }
        });
        Self { address, log, stop, thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<Certain> {
        std::mem::take(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner).requests)
    }

    /// What could not be read beyond doubt, ever.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).doubts.clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Log>) {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16 << 10]);
    let _ = stream.set_nodelay(true);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        bytes.extend_from_slice(&piece[..count]);
        loop {
            match request(&bytes) {
                Ok(None) => break,
                Ok(Some((request, length))) => {
                    let content = if request.line.starts_with("HEAD ") { "" } else { "ok" };
                    bytes.drain(..length);
                    log.lock().unwrap_or_else(PoisonError::into_inner).requests.push(request);
                    let _ =
                        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{content}").as_bytes());
                }
                Err(doubt) => {
                    let doubt = format!("{doubt}: {:?}", String::from_utf8_lossy(&bytes));
                    log.lock().unwrap_or_else(PoisonError::into_inner).doubts.push(doubt);
                    return;
                }
            }
        }
    }
}

type Parsed<T> = Result<Option<(T, usize)>, String>;

/// The first request and its length; none if it is not complete.
fn request(bytes: &[u8]) -> Parsed<Certain> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = &bytes[..end];
    if head.iter().any(|byte| byte.is_ascii_control() && !b"\r\n\t".contains(byte)) {
        return Err("a control character".into());
    }
    let lines: Vec<String> = split_lines(head)?;
    let (line, fields) = lines.split_first().ok_or("no request line")?;
    let parts: Vec<_> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts[..] else { return Err(format!("the request line {line:?}")) };
    let good = |c: char| c.is_ascii_graphic() && c != '#';
    if method.is_empty()
        || !(target.starts_with('/') || (target == "*" && method == "OPTIONS"))
        || !target.chars().all(good)
    {
        return Err(format!("the request line {line:?}"));
    }
    let value = |name: &str| -> Result<Option<String>, String> {
        let mut found = Vec::new();
        for field in fields {
            let (its_name, value) = field.split_once(':').ok_or_else(|| format!("no colon in {field:?}"))?;
            if its_name.is_empty()
                || !its_name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
            {
                return Err(format!("the name of {field:?}"));
            }
            if its_name.eq_ignore_ascii_case(name) {
                found.push(value.trim_matches([' ', '\t']).to_owned());
            }
        }
        if found.len() > 1 { Err(format!("{name} twice")) } else { Ok(found.pop()) }
    };
    let host = value("host")?.ok_or("no Host")?;
    if host.contains([' ', ',', '/', '@', '?', '\\']) {
        return Err(format!("the host {host:?}"));
    }
    let rest = &bytes[end + 4..];
    let content = match (value("content-length")?, value("transfer-encoding")?) {
        (Some(_), Some(_)) => return Err("two framings".into()),
        (None, None) => Some((Vec::new(), 0)),
        (Some(length), None) if !length.is_empty() && length.chars().all(|c| c.is_ascii_digit()) => {
            let length: usize = length.parse().map_err(|_| format!("the length {length:?}"))?;
            rest.get(..length).map(|content| (content.to_vec(), length))
        }
        (None, Some(coding)) if coding == "chunked" => chunks(rest)?,
        framing => return Err(format!("the framing {framing:?}")),
    };
    let line = format!("{method} {target}");
    Ok(content.map(|(content, length)| (Certain { line, content }, end + 4 + length)))
}

fn split_lines(head: &[u8]) -> Result<Vec<String>, String> {
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
    match lines.iter().find(|line| line.contains(['\r', '\n']) || line.starts_with([' ', '\t'])) {
        Some(line) => Err(format!("the line {line:?}")),
        None => Ok(lines),
    }
}

fn chunks(bytes: &[u8]) -> Parsed<Vec<u8>> {
    let (mut content, mut at) = (Vec::new(), 0);
    loop {
        let Some(end) = find(&bytes[at..], b"\r\n") else { return Ok(None) };
        let size = String::from_utf8_lossy(&bytes[at..at + end]).into_owned();
        if size.is_empty() || size.len() > 15 || !size.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(format!("the chunk size {size:?}"));
        }
        let size = usize::from_str_radix(&size, 16).map_err(|error| error.to_string())?;
        at += end + 2;
        if size == 0 {
            return Ok(trailers(&bytes[at..])?.map(|length| (content, at + length)));
        }
        let Some(data) = bytes.get(at..at + size + 2) else { return Ok(None) };
        let data = data.strip_suffix(b"\r\n").ok_or("a chunk that does not end")?;
        content.extend_from_slice(data);
        at += size + 2;
    }
}

/// The length of a trailer section: fields that neither frame nor route, and an empty line.
fn trailers(bytes: &[u8]) -> Result<Option<usize>, String> {
    if bytes.starts_with(b"\r\n") {
        return Ok(Some(2));
    }
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    for line in split_lines(&bytes[..end])? {
        let (name, _) = line.split_once(':').ok_or_else(|| format!("the trailer {line:?}"))?;
        let denied = ["content-length", "transfer-encoding", "host", "connection", "authorization", "cookie"];
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_name || denied.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(format!("the trailer {line:?}"));
        }
    }
    Ok(Some(end + 4))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
