//! A Redis server from the Debian package, which can be killed, started again and stopped in its tracks.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::files::Folder;
use crate::gate::{PATIENCE, eventually};

/// A running Redis. Killed when dropped.
pub struct RedisServer {
    address: SocketAddr,
    arguments: Vec<String>,
    process: Option<Child>,
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
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let address = free.expect("there is a free port");
        let (number, place) = (address.port().to_string(), folder.path().display().to_string());
        let own = [port, &number, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", &place];
        let arguments: Vec<_> = more.iter().chain(&own).map(|&argument| argument.to_owned()).collect();
        let mut server = Self { address, process: Some(spawn(&arguments)), arguments, _folder: folder };
        // It cannot choose a port by itself. One that is taken meanwhile ends it, and another is tried.
        if server.listens() { server } else { Self::start_on(port, more) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says to one line of commands, without TLS.
    #[must_use]
    #[track_caller]
    pub fn ask(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
        write!(stream, "{line}\r\nQUIT\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer.trim_end_matches("+OK\r\n").trim_end().to_owned()
    }

    /// Kills it, with all that it knew.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it anew at the same address.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.process = Some(spawn(&self.arguments));
        assert!(self.listens(), "redis-server does not start again");
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
        let id = self.process.as_ref().map_or(0, Child::id);
        let kill = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status();
        assert!(kill.is_ok_and(|status| status.success()), "no signal {name} for redis-server");
    }

    /// Waits until it listens; not if it has ended.
    fn listens(&mut self) -> bool {
        let mut ended = false;
        eventually("redis-server listens", || {
            ended = self.process.as_mut().is_none_or(|process| process.try_wait().is_ok_and(|status| status.is_some()));
            ended || TcpStream::connect(self.address).is_ok()
        });
        !ended
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(arguments: &[String]) -> Child {
    let server = Command::new("redis-server").args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    server.unwrap_or_else(|error| panic!("redis-server does not start: {error}; install the package redis-server"))
}
