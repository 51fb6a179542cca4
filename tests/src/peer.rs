//! Other people's programs as peers: Python's `websockets` and `grpcio`, and nginx.

use std::fs;
use std::io::BufReader;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use socket2::{Domain, Socket, Type};

use crate::files::{Folder, target_dir};
use crate::gate::{PATIENCE, eventually};
use crate::lines::Lines;

/// A peer that runs. Killed when dropped.
pub struct Peer {
    child: Child,
    lines: Lines,
    address: SocketAddr,
    _folder: Option<Folder>,
}

impl Peer {
    /// A server of `tests/peers`; it has said where it listens.
    #[must_use]
    #[track_caller]
    pub fn python(script: &str) -> Self {
        let mut child = spawn(&mut python(script));
        let lines = Lines::read(take_stdout(&mut child));
        let port = lines.find(&["listening "]).split(' ').nth(1).and_then(|port| port.trim().parse().ok());
        let address = (Ipv4Addr::LOCALHOST, port.expect("it says its port")).into();
        Self { child, lines, address, _folder: None }
    }

    /// nginx with this server block; `{listen}` is where it listens, `{folder}` a folder with the given files.
    #[must_use]
    #[track_caller]
    pub fn nginx(server: &str, files: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        for (name, content) in files {
            folder.write(name, content);
        }
        // nginx takes over a socket that is bound already, so no port is lost between two programs.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
        let bound = socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).and_then(|()| socket.listen(128));
        bound.and_then(|()| socket.set_cloexec(false)).expect("loopback has a free port");
        let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound");
        let path = folder.path().display().to_string();
        let server = server.replace("{listen}", &address.to_string()).replace("{folder}", &path);
        folder.write("nginx.conf", NGINX.replace("{server}", &server).replace("{folder}", &path));
        let mut command = Command::new(if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" });
        command
            .args(["-p", &path, "-c", "nginx.conf", "-e", "stderr"])
            .env("NGINX", format!("{};", socket.as_raw_fd()));
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("nginx: {error}; install the package `nginx-light`"));
        let lines = Lines::read(take_stdout(&mut child));
        Self { child, lines, address, _folder: Some(folder) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for a line of its output that contains all of these.
    #[track_caller]
    pub fn line(&self, parts: &[&str]) -> String {
        self.lines.find(parts)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // nginx has a worker, which goes with it only if it is asked.
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        let _ = self.child.wait();
    }
}

/// A client of `tests/peers` that is at work.
pub struct PeerClient {
    child: Child,
    lines: Lines,
}

impl PeerClient {
    /// Starts it.
    #[must_use]
    #[track_caller]
    pub fn start(script: &str, args: &[&str]) -> Self {
        let mut child = spawn(python(script).args(args));
        let lines = Lines::read(take_stdout(&mut child));
        Self { child, lines }
    }

    /// Runs it to its end; gives the lines that it wrote.
    #[must_use]
    #[track_caller]
    pub fn run(script: &str, args: &[&str]) -> Vec<String> {
        Self::start(script, args).finish()
    }

    /// Waits for a line of its output that contains all of these.
    #[track_caller]
    pub fn line(&self, parts: &[&str]) -> String {
        self.lines.find(parts)
    }

    /// Waits until it has ended well; gives the lines that it wrote.
    #[must_use]
    #[track_caller]
    pub fn finish(mut self) -> Vec<String> {
        let mut status = None;
        eventually("the client ends", || {
            status = self.child.try_wait().expect("it is our child");
            status.is_some()
        });
        let lines = self.lines.rest(PATIENCE);
        assert!(status.is_some_and(|status| status.success()), "{status:?}: {lines:#?}");
        lines
    }
}

impl Drop for PeerClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const NGINX: &str = "daemon off;\nworker_processes 1;\nuser root;\npid {folder}/nginx.pid;\nerror_log stderr crit;\n\
    events { worker_connections 256; }\nhttp {\naccess_log off;\nclient_body_temp_path {folder}/body;\n\
    proxy_temp_path {folder}/proxy;\nfastcgi_temp_path {folder}/fastcgi;\nuwsgi_temp_path {folder}/uwsgi;\n\
    scgi_temp_path {folder}/scgi;\n{server}\n}\n";

/// A program that `cargo xtask peers` has installed.
#[must_use]
#[track_caller]
pub fn peer_tool(name: &str) -> PathBuf {
    let tool: PathBuf = target_dir().join("peers").join("bin").join(name);
    assert!(
        fs::exists(&tool).unwrap_or(false),
        "{} is missing; run `cargo xtask peers`, which needs the packages `python3` and `python3-venv`",
        tool.display()
    );
    tool
}

fn python(script: &str) -> Command {
    let mut command = Command::new(peer_tool("python"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script).with_extension("py"));
    command
}

#[track_caller]
fn spawn(command: &mut Command) -> Child {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn take_stdout(child: &mut Child) -> BufReader<ChildStdout> {
    BufReader::new(child.stdout.take().expect("standard output is a pipe"))
}
