//! A registry from the Debian package `docker-registry`, which can be killed and started again.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::certificates::Pair;
use crate::files::Folder;
use crate::gate::eventually;

/// The user of a registry that wants one, with a password by bcrypt: `s3cret`.
const HTPASSWD: &str = "story:$2a$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";

/// A running registry. Killed when dropped.
pub struct Registry {
    address: SocketAddr,
    process: Option<Child>,
    folder: Folder,
}

/// How it is set up.
#[derive(Default)]
struct Setup<'a> {
    password: bool,
    tls: Option<&'a Pair>,
}

impl Registry {
    /// The user of a registry that wants one.
    pub const USER: &'static str = "story";
    /// That user's password.
    pub const PASSWORD: &'static str = "s3cret";

    /// Starts it on a port that is free.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::set_up(&Setup::default())
    }

    /// As `start`, for [`Registry::USER`] only.
    #[must_use]
    #[track_caller]
    pub fn start_with_password() -> Self {
        Self::set_up(&Setup { password: true, ..Setup::default() })
    }

    /// As `start`, with TLS only.
    #[must_use]
    #[track_caller]
    pub fn start_with_tls(pair: &Pair) -> Self {
        Self::set_up(&Setup { tls: Some(pair), ..Setup::default() })
    }

    #[track_caller]
    fn set_up(setup: &Setup<'_>) -> Self {
        let folder = Folder::new();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let address = free.expect("there is a free port");
        let place = folder.path().display();
        let mut config = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    \
             rootdirectory: {place}/storage\nhttp:\n  addr: {address}\n"
        );
        if let Some(pair) = setup.tls {
            folder.write("cert.pem", &pair.cert);
            folder.write("key.pem", &pair.key);
            config += &format!("  tls:\n    certificate: {place}/cert.pem\n    key: {place}/key.pem\n");
        }
        if setup.password {
            folder.write("htpasswd", HTPASSWD);
            config += &format!("auth:\n  htpasswd:\n    realm: stories\n    path: {place}/htpasswd\n");
        }
        folder.write("config.yml", config);
        let mut registry = Self { address, process: None, folder };
        registry.process = Some(registry.spawn());
        // It cannot choose a port by itself. One that is taken meanwhile ends it, and another is tried.
        if registry.listens() { registry } else { Self::set_up(setup) }
    }

    /// Host and port, as references name them.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Kills it. What was pushed stays.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again at the same address.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.process = Some(self.spawn());
        assert!(self.listens(), "docker-registry does not start again");
    }

    /// The file in which it keeps the content of that digest (`sha256:…`).
    #[must_use]
    #[track_caller]
    pub fn content(&self, digest: &str) -> PathBuf {
        let digits = digest.strip_prefix("sha256:").expect("a digest of SHA-256");
        let all = self.folder.path().join("storage/docker/registry/v2/blobs/sha256");
        all.join(&digits[..2]).join(digits).join("data")
    }

    #[track_caller]
    fn spawn(&self) -> Child {
        let config = self.folder.path().join("config.yml");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(config).env("OTEL_TRACES_EXPORTER", "none");
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        process.unwrap_or_else(|error| {
            panic!("docker-registry does not start: {error}; install the package docker-registry")
        })
    }

    /// Waits until it listens; not if it has ended.
    #[track_caller]
    fn listens(&mut self) -> bool {
        let mut ended = false;
        eventually("docker-registry listens", || {
            ended = self.process.as_mut().is_none_or(|process| process.try_wait().is_ok_and(|status| status.is_some()));
            ended || TcpStream::connect(self.address).is_ok()
        });
        !ended
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.kill();
    }
}
