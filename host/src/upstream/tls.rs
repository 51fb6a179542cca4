//! TLS to endpoints: whom to trust, under which name, and who this gateway says it is.

use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// The name of HTTP/2 in ALPN.
pub(super) const HTTP_2: &[u8] = b"h2";

const HTTP_11: &[u8] = b"http/1.1";

/// How many sessions a worker keeps to resume.
const SESSIONS: usize = 64;

/// How the connections to an upstream are secured. Certificates are always verified.
#[derive(Debug)]
pub struct Tls {
    /// Whose certificates are trusted.
    pub roots: Arc<RootCertStore>,
    /// What servers that ask for it are shown.
    pub identity: Option<Arc<CertifiedKey>>,
    /// The name to ask for and to verify, in place of the endpoint's host.
    pub sni: Option<ServerName<'static>>,
    /// Of the contents of all files; the same digest is the same TLS.
    pub digest: [u8; 32],
}

impl Tls {
    /// Makes connections for one worker.
    pub(super) fn connector(&self, http2: bool) -> TlsConnector {
        let mut config = self.client_config();
        config.alpn_protocols = vec![if http2 { HTTP_2 } else { HTTP_11 }.to_vec()];
        TlsConnector::from(Arc::new(config))
    }

    /// For connections that agree on no protocol.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        #[allow(clippy::expect_used, reason = "the provider has cipher suites for both")]
        let builder = builder.with_protocol_versions(rustls::DEFAULT_VERSIONS).expect("TLS 1.2 and 1.3 are built in");
        let builder = builder.with_root_certificates(Arc::clone(&self.roots));
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(identity)))),
        };
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        config
    }

    /// The name that the certificate must have.
    ///
    /// # Errors
    /// If the host is no name.
    pub fn server_name(&self, host: &str) -> io::Result<ServerName<'static>> {
        match &self.sni {
            Some(name) => Ok(name.clone()),
            None => ServerName::try_from(host.to_owned())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error)),
        }
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.sni == other.sni
    }
}
