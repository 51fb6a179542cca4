//! How registries are reached: mirrors, TLS, credentials.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::Error;

/// How long it may take to fetch or push an artifact unless something else is said.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How registries are reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// By host, what is said about a registry.
    pub servers: BTreeMap<String, Server>,
    roots: Arc<OnceLock<Arc<RootCertStore>>>,
}

/// What is said about a registry.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Where to look first: hosts, each with a path below which repositories are, if there is one.
    pub mirrors: Vec<String>,
    /// Whether it is spoken to in clear, if that is said.
    pub plain: Option<bool>,
    /// Whose certificates are trusted in place of those that the system trusts, with the digest of what was read.
    pub roots: Option<(Arc<RootCertStore>, [u8; 32])>,
    /// The file of credentials, in the form of Docker's `config.json`.
    pub credentials: Option<PathBuf>,
    /// How long an artifact may take.
    pub timeout: Option<Duration>,
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        let digest = |server: &Self| server.roots.as_ref().map(|(_, digest)| *digest);
        (&self.mirrors, self.plain, &self.credentials, self.timeout, digest(self))
            == (&other.mirrors, other.plain, &other.credentials, other.timeout, digest(other))
    }
}

impl PartialEq for Access {
    fn eq(&self, other: &Self) -> bool {
        self.servers == other.servers
    }
}

/// A host that is asked.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// As it is written in references.
    pub(super) name: String,
    /// Host and port to connect to.
    pub(super) authority: String,
    /// What repositories there begin with: nothing, or a path with a slash at its end.
    pub(super) prefix: String,
    pub(super) plain: bool,
    pub(super) roots: Option<Arc<RootCertStore>>,
    pub(super) credentials: Option<PathBuf>,
}

impl Access {
    /// Those that are asked for what is in a registry: its mirrors, then itself.
    pub(super) fn endpoints(&self, host: &str) -> Vec<Endpoint> {
        let mirrors = self.servers.get(host).map(|server| server.mirrors.as_slice()).unwrap_or_default();
        mirrors.iter().map(|mirror| self.endpoint(mirror)).chain([self.endpoint(host)]).collect()
    }

    /// The registry itself, or a mirror with its path.
    pub(super) fn endpoint(&self, written: &str) -> Endpoint {
        let (host, path) = written.split_once('/').unwrap_or((written, ""));
        let server = self.servers.get(host);
        let roots = server.and_then(|server| server.roots.as_ref()).map(|(roots, _)| Arc::clone(roots));
        // Nobody is between this machine and itself.
        let plain = server.and_then(|server| server.plain).unwrap_or(is_local(host) && roots.is_none());
        Endpoint {
            name: host.to_owned(),
            authority: if host == "docker.io" { "registry-1.docker.io".to_owned() } else { host.to_owned() },
            prefix: if path.is_empty() { String::new() } else { format!("{path}/") },
            plain,
            roots,
            credentials: server.and_then(|server| server.credentials.clone()),
        }
    }

    /// How long an artifact of that registry may take.
    #[must_use]
    pub fn timeout(&self, host: &str) -> Duration {
        self.servers.get(host).and_then(|server| server.timeout).unwrap_or(TIMEOUT)
    }

    /// TLS to an endpoint.
    pub(super) fn tls(&self, roots: Option<&Arc<RootCertStore>>) -> Result<Arc<ClientConfig>, Error> {
        let roots = Arc::clone(roots.unwrap_or_else(|| self.roots.get_or_init(system_roots)));
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(rustls::DEFAULT_VERSIONS);
        let builder = builder.map_err(|error| Error::wrong("TLS", format!("cannot be used: {error}")))?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }
}

/// Whether a host is this machine, whatever name servers say.
pub(super) fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    let inner = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || inner.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn system_roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // Systems have roots that this library does not take; certificates below them fail to verify.
        let _ = roots.add(certificate);
    }
    Arc::new(roots)
}
