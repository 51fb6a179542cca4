//! A small HTTP/1.1 server behind the gateway that answers with what it was asked, so that the policies' edits show.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::{Map, Value, json};

const MAX_HEAD: u64 = 64 * 1024;

/// Starts the server on a free port; it lives as long as the process.
pub(super) fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that breaks concerns nobody but its client.
            thread::spawn(move || serve(&stream));
        }
    });
    Ok(address)
}

fn serve(stream: &TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader)? {
        let body_bytes = request.drain_body(&mut reader)?;
        (&mut &*stream).write_all(&answer(&request, body_bytes))?;
        if !request.keeps_alive() {
            break;
        }
    }
    Ok(())
}

fn answer(request: &Request, body_bytes: u64) -> Vec<u8> {
    let mut headers = Map::new();
    for (name, value) in &request.headers {
        headers
            .entry(name.clone())
            .and_modify(|earlier| *earlier = json!(format!("{}, {value}", earlier.as_str().unwrap_or_default())))
            .or_insert_with(|| Value::from(value.as_str()));
    }
    let echo = json!({ "method": request.method, "path": request.path, "headers": headers, "body_bytes": body_bytes });
    let body = format!("{echo:#}\n");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nserver: demo-upstream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let body = if request.method == "HEAD" { "" } else { &body };
    [head.as_bytes(), body.as_bytes()].concat()
}

struct Request {
    method: String,
    path: String,
    version: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The next request, or `None` when the client is done.
    fn read(reader: &mut impl BufRead) -> Result<Option<Self>> {
        let mut reader = reader.take(MAX_HEAD);
        let first = line(&mut reader)?;
        let [method, path, version] = first.split(' ').collect::<Vec<_>>()[..] else {
            return if first.is_empty() { Ok(None) } else { Err(bad("request line")) };
        };
        let mut request =
            Self { method: method.to_owned(), path: path.to_owned(), version: version.to_owned(), headers: Vec::new() };
        loop {
            let field = line(&mut reader)?;
            if field.is_empty() {
                return Ok(Some(request));
            }
            let (name, value) = field.split_once(':').ok_or_else(|| bad("header"))?;
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads the body away and returns its length.
    fn drain_body(&self, reader: &mut impl BufRead) -> Result<u64> {
        if self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return drain_chunks(reader);
        }
        let length = self.header("content-length").map_or(Ok(0), str::parse).map_err(|_| bad("content-length"))?;
        drain(reader, length)
    }

    fn keeps_alive(&self) -> bool {
        let connection = self.header("connection").unwrap_or_default().to_ascii_lowercase();
        !connection.contains("close") && (self.version == "HTTP/1.1" || connection.contains("keep-alive"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

fn drain_chunks(reader: &mut impl BufRead) -> Result<u64> {
    let mut total = 0;
    loop {
        let size = line(reader)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| bad("chunk size"))?;
        if size == 0 {
            // Trailers, if any, and the empty line after them.
            while !line(reader)?.is_empty() {}
            return Ok(total);
        }
        total += drain(reader, size)?;
        line(reader)?;
    }
}

fn drain(reader: &mut impl BufRead, length: u64) -> Result<u64> {
    let read = std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    if read < length { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(length) }
}

fn line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.take(MAX_HEAD).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("bad {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::client;

    fn ask(request: &str) -> String {
        let mut stream = TcpStream::connect(start().unwrap()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn echoes_method_path_and_headers() {
        let answer = client::get(start().unwrap(), "/orders/7?x=1", &[("x-consumer", "alice")]).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("server"), Some("demo-upstream"));
        let echo: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(echo["path"], "/orders/7?x=1");
        assert_eq!(echo["headers"]["x-consumer"], "alice");
    }

    #[test]
    fn reads_bodies_of_both_kinds_on_one_connection() {
        let answers = ask("POST /a HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc\
             POST /b HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n4\r\nwiki\r\n0\r\nx: y\r\n\r\n\
             GET /c HTTP/1.1\r\nconnection: close\r\n\r\n");
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
        for expected in ["\"body_bytes\": 3", "\"body_bytes\": 4", "\"path\": \"/c\""] {
            assert!(answers.contains(expected), "no {expected} in {answers}");
        }
    }
}
