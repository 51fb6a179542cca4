//! A Redis server from the Debian package, which can be killed, started again and stopped in its tracks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use crate::files::Folder;
use crate::gate::PATIENCE;
use crate::server::Server;

/// A running Redis. Killed when dropped.
pub struct RedisServer {
    server: Server,
    _folder: Folder,
}

impl RedisServer {
    /// Starts it on a port that is free, with these arguments besides.
    #[must_use]
    #[track_caller]
    pub fn start(more: &[&str]) -> Self {
        Self::start_on("--port", more)
    }

    /// As `start`, for TLS only.
    #[must_use]
    #[track_caller]
    pub fn start_with_tls(more: &[&str]) -> Self {
        Self::start_on("--tls-port", &[&["--port", "0"], more].concat())
    }

    #[track_caller]
    fn start_on(port: &str, more: &[&str]) -> Self {
        let folder = Folder::new();
        let server = Server::start("redis-server", |address| {
            let (number, place) = (address.port().to_string(), folder.path().display().to_string());
            let own = [port, &number, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", &place];
            more.iter().chain(&own).map(|&argument| argument.to_owned()).collect()
        });
        Self { server, _folder: folder }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What it says to one line of commands, without TLS.
    #[must_use]
    #[track_caller]
    pub fn ask(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
        write!(stream, "{line}\r\nQUIT\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer.trim_end_matches("+OK\r\n").trim_end().to_owned()
    }

    /// Kills it, with all that it knew.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it anew at the same address.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.server.start_again();
    }

    /// Stops it in its tracks: it accepts connections, by its kernel, and answers nothing.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.server.id();
        let kill = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status();
        assert!(kill.is_ok_and(|status| status.success()), "no signal {name} for redis-server");
    }
}
