//! A client that speaks TLS and tells what came of the handshake.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};

use crate::certificates::{Authority, Pair};
use crate::gate::PATIENCE;

/// A client with its own memory of sessions.
pub struct TlsClient(Arc<ClientConfig>);

/// A connection whose handshake is done.
pub struct TlsConnection(StreamOwned<ClientConnection, TcpStream>);

impl TlsClient {
    /// A client that trusts this authority.
    #[must_use]
    #[track_caller]
    pub fn trusting(authority: &Authority) -> Self {
        Self::new(authority, false, None)
    }

    /// A client that knows nothing newer than TLS 1.2.
    #[must_use]
    #[track_caller]
    pub fn old(authority: &Authority) -> Self {
        Self::new(authority, true, None)
    }

    /// A client with a certificate of its own.
    #[must_use]
    #[track_caller]
    pub fn with_certificate(authority: &Authority, own: &Pair) -> Self {
        Self::new(authority, false, Some(own))
    }

    fn new(authority: &Authority, old: bool, own: Option<&Pair>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(der(authority.pem())).expect("it is an authority");
        let versions = if old { vec![&TLS12] } else { vec![&TLS12, &TLS13] };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&versions)
            .expect("the provider knows both")
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("it was made here");
                builder.with_client_auth_cert(vec![der(&pair.cert)], key).expect("it is a pair")
            }
        };
        config.resumption = Resumption::in_memory_sessions(32);
        Self(Arc::new(config))
    }

    /// Connects and shakes hands.
    ///
    /// # Errors
    /// If the handshake fails.
    pub fn connect(&self, address: SocketAddr, name: &str) -> io::Result<TlsConnection> {
        let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(TlsConnection(StreamOwned::new(tls, socket)))
    }
}

impl TlsConnection {
    /// Whether a session was resumed.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.0.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether the gateway has shown this certificate.
    #[must_use]
    #[track_caller]
    pub fn is_with(&self, pair: &Pair) -> bool {
        let shown = self.0.conn.peer_certificates().and_then(<[_]>::first);
        shown == Some(&der(&pair.cert))
    }

    /// Sends `GET` and reads the head and the content that it announces.
    ///
    /// # Errors
    /// If the connection breaks: with TLS 1.3 that is also how the gateway refuses a client's certificate.
    pub fn get(&mut self, path: &str) -> io::Result<String> {
        self.0.write_all(format!("GET {path} HTTP/1.1\r\nhost: gateway.test\r\n\r\n").as_bytes())?;
        let mut text = String::new();
        let mut piece = [0; 4_096];
        loop {
            let count = self.0.read(&mut piece)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            text.push_str(&String::from_utf8_lossy(&piece[..count]));
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: "))
                && length.parse().is_ok_and(|length: usize| body.len() >= length)
            {
                return Ok(text);
            }
        }
    }
}

#[track_caller]
fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("it was made here")
}
