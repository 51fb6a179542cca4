//! An upstream that answers `GET /N` with N MiB, which it has in no file and makes of one buffer. Its threads end with the
//! bench.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use anyhow::Context;

/// What it writes at a time.
const PIECE: usize = 256 << 10;

pub(super) struct Origin {
    pub(super) address: SocketAddr,
}

impl Origin {
    /// Starts it.
    pub(super) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(&stream));
            }
        });
        Ok(Self { address })
    }
}

/// One request after another, until the gateway goes.
fn serve(mut stream: &TcpStream) -> io::Result<()> {
    let content = vec![b'x'; PIECE];
    let mut requests = BufReader::new(stream);
    loop {
        let Some(mebibytes) = request(&mut requests)? else { return Ok(()) };
        let length = mebibytes << 20;
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes())?;
        let mut left = length;
        while left > 0 {
            let piece = &content[..left.min(PIECE)];
            stream.write_all(piece)?;
            left -= piece.len();
        }
    }
}

/// How much is asked for; nothing at the end of the connection.
fn request(reader: &mut impl BufRead) -> io::Result<Option<usize>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let path = first.split(' ').nth(1).and_then(|path| path.strip_prefix('/')).unwrap_or_default();
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    Ok(Some(path.parse().unwrap_or(0)))
}
