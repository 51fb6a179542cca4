//! How an upstream is spoken to: TLS with its files, which are checked against each other, and HTTP/2.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::EndpointSource;
use super::report::{At, Report, Wrong};
use super::section::{Item, Section};

/// The largest file of certificates that is read; the bundles of systems have a quarter of that.
const MAX_BYTES: u64 = 1024 * 1024;

/// How connections to an upstream are made (`tls`, `http2`, `ping-interval`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transport {
    /// `tls`: how they are secured; none for plain TCP.
    pub tls: Option<UpstreamTls>,
    /// `http2`: HTTP/2 without asking first. With the time of silence after which a connection with requests on it is asked
    /// whether it is still there.
    pub http2: Option<Duration>,
}

/// TLS to an upstream. Certificates are always verified.
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    /// `ca`: whose certificates are trusted.
    pub roots: Arc<RootCertStore>,
    /// `client-cert` and `client-key`: what servers that ask for it are shown.
    pub identity: Option<Arc<CertifiedKey>>,
    /// `sni`: the name to ask for and to verify; without it, the endpoint's host.
    pub sni: Option<ServerName<'static>>,
    /// The files that this was read from.
    pub files: Vec<PathBuf>,
    /// Of all that was read.
    pub digest: [u8; 32],
}

impl PartialEq for UpstreamTls {
    fn eq(&self, other: &Self) -> bool {
        (&self.sni, &self.files, self.digest) == (&other.sni, &other.files, other.digest)
    }
}

/// As written.
#[derive(Debug)]
pub(super) struct TransportTable {
    tls: Option<TlsTable>,
    http2: bool,
    ping: Option<(At<()>, Option<Duration>)>,
}

#[derive(Debug)]
pub(super) struct TlsTable {
    place: At<()>,
    ca: Option<At<String>>,
    sni: Option<At<String>>,
    client_cert: Option<At<String>>,
    client_key: Option<At<String>>,
}

/// Servers of gRPC take pings without data that come more often than every five minutes for an attack.
const PING: Duration = Duration::from_secs(360);

impl TransportTable {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let ping =
            |item: Item<'_>| (item.place(), item.duration(Duration::from_secs(1), Duration::from_secs(24 * 60 * 60)));
        Self {
            tls: section.take("tls").and_then(TlsTable::read),
            http2: section.take("http2").and_then(Item::boolean).is_some_and(|at| at.value),
            ping: section.take("ping-interval").map(ping),
        }
    }

    /// What is written, as far as it is good, for these endpoints.
    pub(super) fn check(self, endpoints: &[EndpointSource], folder: &Path, report: &Report) -> Transport {
        if let (false, Some((place, _))) = (self.http2, &self.ping) {
            report.at(
                place,
                "is about HTTP/2, which this upstream is not spoken to in",
                "add http2 = true, or remove it",
            );
        }
        if let Some(TlsTable { place, sni: None, .. }) = &self.tls {
            for source in endpoints {
                if let EndpointSource::Host { endpoint, .. } = source {
                    report.good(place, server_name(&endpoint.host));
                }
            }
        }
        let ping = self.ping.and_then(|(_, ping)| ping).unwrap_or(PING);
        Transport { tls: self.tls.and_then(|table| check(&table, folder, report)), http2: self.http2.then_some(ping) }
    }
}

impl TlsTable {
    pub(super) fn read(item: Item<'_>) -> Option<Self> {
        let place = item.place();
        if item.is_boolean() {
            let wanted = item.boolean().is_some_and(|at| at.value);
            return wanted.then_some(Self { place, ca: None, sni: None, client_cert: None, client_key: None });
        }
        let mut section = item.section()?;
        let table = Self {
            place,
            ca: section.take("ca").and_then(Item::string),
            sni: section.take("sni").and_then(Item::string),
            client_cert: section.take("client-cert").and_then(Item::string),
            client_key: section.take("client-key").and_then(Item::string),
        };
        section.finish();
        Some(table)
    }

    /// Whether the host can have a certificate, if no other name is written.
    pub(super) fn check_host(&self, host: &str, report: &Report) {
        if self.sni.is_none() {
            report.good(&self.place, server_name(host));
        }
    }

    /// What is written, as far as it is good, with paths relative to the folder.
    pub(super) fn check(&self, folder: &Path, report: &Report) -> Option<UpstreamTls> {
        check(self, folder, report)
    }
}

/// TLS as the table says, with paths relative to the folder, as far as it is good.
fn check(table: &TlsTable, folder: &Path, report: &Report) -> Option<UpstreamTls> {
    let mut reader = Reader { folder, digest: Sha256::new(), files: Vec::new() };
    let roots = match &table.ca {
        Some(at) => report.good(at, reader.roots(&at.value)),
        None => report.good(&table.place, reader.system_roots()),
    };
    let sni = table.sni.as_ref().and_then(|at| report.good(at, server_name(&at.value)));
    let identity = match (&table.client_cert, &table.client_key) {
        (Some(cert), Some(key)) => reader.identity(cert, key, report),
        (Some(at), None) => {
            report.at(at, "is without client-key", "add client-key = \"…\", the private key of this certificate");
            None
        }
        (None, Some(at)) => {
            report.at(at, "is without client-cert", "add client-cert = \"…\", the certificate of this key");
            None
        }
        (None, None) => None,
    };
    // What is none for a problem does not matter: the configuration counts only if nothing was reported.
    Some(UpstreamTls { roots: roots?, identity, sni, files: reader.files, digest: reader.digest.finalize().into() })
}

/// TLS to a host with the roots of the system.
pub(super) fn system(host: &str) -> Result<UpstreamTls, Wrong> {
    server_name(host)?;
    let mut reader = Reader { folder: Path::new(""), digest: Sha256::new(), files: Vec::new() };
    let roots = reader.system_roots()?;
    Ok(UpstreamTls { roots, identity: None, sni: None, files: Vec::new(), digest: reader.digest.finalize().into() })
}

/// The certificates of a file as roots, with a digest of what was read.
pub(super) fn roots(path: &str, folder: &Path) -> Result<(Arc<RootCertStore>, [u8; 32]), Wrong> {
    let mut reader = Reader { folder, digest: Sha256::new(), files: Vec::new() };
    let roots = reader.roots(path)?;
    Ok((roots, reader.digest.finalize().into()))
}

/// Whether a certificate can be for that host.
fn server_name(host: &str) -> Result<ServerName<'static>, Wrong> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| (format!("{host:?} is not a host name"), "write the name that the certificate has".to_owned()))
}

/// Reads files, and remembers which and what was in them.
struct Reader<'a> {
    folder: &'a Path,
    digest: Sha256,
    files: Vec<PathBuf>,
}

impl Reader<'_> {
    fn roots(&mut self, path: &str) -> Result<Arc<RootCertStore>, Wrong> {
        let certificates = certificates(path, &self.read(path)?)?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(|error| {
                (format!("{path:?} has a certificate that cannot be a root: {error}"), "remove it".to_owned())
            })?;
        }
        Ok(Arc::new(roots))
    }

    fn system_roots(&mut self) -> Result<Arc<RootCertStore>, Wrong> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        for certificate in found.certs {
            self.digest.update(&certificate);
            // Systems have roots that this library does not take; certificates below them fail to verify.
            let _ = roots.add(certificate);
        }
        match roots.is_empty() {
            true => Err((
                "this system has no roots to verify certificates with".to_owned(),
                "install the package ca-certificates, or name your own: tls = { ca = \"ca.pem\" }".to_owned(),
            )),
            false => Ok(Arc::new(roots)),
        }
    }

    fn identity(&mut self, cert: &At<String>, key: &At<String>, report: &Report) -> Option<Arc<CertifiedKey>> {
        let chain = self.read(&cert.value).and_then(|pem| certificates(&cert.value, &pem));
        let private = self.read(&key.value).and_then(|pem| private_key(&key.value, &pem));
        let (chain, private) = (report.good(cert, chain), report.good(key, private));
        let paired = CertifiedKey::from_der(chain?, private?, &aws_lc_rs::default_provider());
        let paired = paired.map_err(|error| {
            (
                format!("{:?} does not fit {:?}: {error}", key.value, cert.value),
                "write the key of the certificate".to_owned(),
            )
        });
        report.good(key, paired.map(Arc::new))
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Wrong> {
        let file = self.folder.join(path);
        self.files.push(file.clone());
        let readable = "check that the file is there and can be read".to_owned();
        let unreadable = |error: std::io::Error| (format!("{path:?} cannot be read: {error}"), readable.clone());
        if std::fs::metadata(&file).map_err(unreadable)?.len() > MAX_BYTES {
            return Err((format!("{path:?} is larger than 1MiB"), "name a file of certificates only".to_owned()));
        }
        let content = std::fs::read(&file).map_err(unreadable)?;
        self.digest.update((content.len() as u64).to_be_bytes());
        self.digest.update(&content);
        Ok(content)
    }
}

fn certificates(path: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let found: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err((format!("{path:?} has no valid certificate"), "write certificates in PEM".to_owned())),
    }
}

fn private_key(path: &str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, Wrong> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| (format!("{path:?} has no valid private key"), "write the key in PEM, not encrypted".to_owned()))
}
