//! A registry from the Debian package `docker-registry`, which can be killed and started again.

use std::path::PathBuf;

use crate::certificates::Pair;
use crate::files::Folder;
use crate::server::Server;

/// The user of a registry that wants one, with a password by bcrypt: `s3cret`.
const HTPASSWD: &str = "story:$2a$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";

/// A running registry. Killed when dropped.
pub struct Registry {
    server: Server,
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
        if let Some(pair) = setup.tls {
            folder.write("cert.pem", &pair.cert);
            folder.write("key.pem", &pair.key);
        }
        if setup.password {
            folder.write("htpasswd", HTPASSWD);
        }
        let server = Server::start("docker-registry", |address| {
            let place = folder.path().display();
            let mut config = format!(
                "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    \
                 rootdirectory: {place}/storage\nhttp:\n  addr: {address}\n"
            );
            if setup.tls.is_some() {
                config += &format!("  tls:\n    certificate: {place}/cert.pem\n    key: {place}/key.pem\n");
            }
            if setup.password {
                config += &format!("auth:\n  htpasswd:\n    realm: stories\n    path: {place}/htpasswd\n");
            }
            folder.write("config.yml", config);
            vec!["serve".to_owned(), format!("{place}/config.yml")]
        });
        Self { server, folder }
    }

    /// Host and port, as references name them.
    #[must_use]
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// Kills it. What was pushed stays.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again at the same address.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.server.start_again();
    }

    /// The file in which it keeps the content of that digest (`sha256:…`).
    #[must_use]
    #[track_caller]
    pub fn content(&self, digest: &str) -> PathBuf {
        let digits = digest.strip_prefix("sha256:").expect("a digest of SHA-256");
        let all = self.folder.path().join("storage/docker/registry/v2/blobs/sha256");
        all.join(&digits[..2]).join(digits).join("data")
    }
}
