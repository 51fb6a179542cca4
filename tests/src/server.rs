//! A server of a Debian package, as a process of its own on a port that is free, which can be killed and started again.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::gate::eventually;

/// A running server. Killed when dropped.
pub(crate) struct Server {
    program: &'static str,
    arguments: Vec<String>,
    address: SocketAddr,
    process: Option<Child>,
}

impl Server {
    /// Starts a program, whose package has its name, with the arguments that make it listen at an address.
    #[track_caller]
    pub(crate) fn start(program: &'static str, arguments: impl Fn(SocketAddr) -> Vec<String>) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let address = free.expect("there is a free port");
        let mut server = Self { program, arguments: arguments(address), address, process: None };
        server.spawn();
        // It cannot choose a port by itself. One that is taken meanwhile ends it, and another is tried.
        if server.listens() { server } else { Self::start(program, arguments) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Child::id)
    }

    /// Kills it, with all that it knew and has not written down.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it anew at the same address.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        self.spawn();
        assert!(self.listens(), "{} does not start again", self.program);
    }

    #[track_caller]
    fn spawn(&mut self) {
        let (program, mut command) = (self.program, Command::new(self.program));
        // The registry of containers would look for somebody to send traces to.
        command.args(&self.arguments).env("OTEL_TRACES_EXPORTER", "none");
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process =
            process.unwrap_or_else(|error| panic!("{program} does not start: {error}; install the package {program}"));
        self.process = Some(process);
    }

    /// Waits until it listens; not if it has ended.
    #[track_caller]
    fn listens(&mut self) -> bool {
        let mut ended = false;
        eventually(&format!("{} listens", self.program), || {
            ended = self.process.as_mut().is_none_or(|process| process.try_wait().is_ok_and(|status| status.is_some()));
            ended || TcpStream::connect(self.address).is_ok()
        });
        !ended
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
