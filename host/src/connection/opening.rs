//! What comes before HTTP: a PROXY protocol header, a TLS handshake, the choice of the protocol. All of it within the time
//! that a client has for its first head.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::frames::PREFACE;
use super::identity;
use super::proxy_protocol::{self, Header, HeaderError};
use super::socket::Socket;
use super::transport::Transport;
use crate::config::ProxyProtocol;
use crate::message::{Activity, ClientInfo, TlsInfo};
use crate::snapshot::{BoundListener, ListenerSettings};

/// How much of a plain connection is looked at to tell HTTP/2 from HTTP/1. Most heads fit, so the rest needs no further read.
const FIRST_LOOK: usize = 1_024;

/// A connection that has just been accepted.
pub struct Arrival {
    /// The socket.
    pub stream: TcpStream,
    /// The other end.
    pub address: SocketAddr,
    /// Who accepted it.
    pub listener: Arc<BoundListener>,
    /// What the listener does with it.
    pub settings: Arc<ListenerSettings>,
}

/// A connection that is ready for HTTP.
pub(super) struct Opened {
    pub(super) transport: Transport,
    pub(super) client: ClientInfo,
    pub(super) protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Why there will be no HTTP.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("the connection broke before a request")]
    Io(#[from] io::Error),
    #[error("the PROXY protocol header is not acceptable")]
    ProxyHeader(#[from] HeaderError),
    #[error("{0} may not say who its clients are")]
    Untrusted(SocketAddr),
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
}

impl Arrival {
    pub(super) async fn open(self, activity: Rc<Activity>) -> Result<Opened, OpenError> {
        let mut socket = Socket::new(self.stream, activity);
        let mut address = self.address;
        if let Some(proxy) = &self.settings.options.proxy_protocol {
            address = read_proxy_header(&mut socket, proxy, address).await?;
        }
        let listener = Arc::clone(&self.listener.name);
        if let Some(tls) = &self.settings.tls {
            let accept = TlsAcceptor::from(Arc::clone(&tls.config)).accept(socket);
            let stream = Box::pin(accept).await.map_err(OpenError::Handshake)?;
            let protocol = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Protocol::Http2,
                _ => Protocol::Http1,
            };
            let client = ClientInfo::over_tls(address, listener, info(&stream));
            return Ok(Opened { transport: Transport::Tls(Box::new(stream)), client, protocol });
        }
        let protocol = tell_protocol(&mut socket).await?;
        let client = ClientInfo::new(address, listener, "http");
        Ok(Opened { transport: Transport::Plain(socket), client, protocol })
    }
}

/// The address of the client that the header names, else that of the other end.
async fn read_proxy_header(
    socket: &mut Socket,
    proxy: &ProxyProtocol,
    peer: SocketAddr,
) -> Result<SocketAddr, OpenError> {
    let is_trusted = proxy.trusted.is_empty() || proxy.trusted.iter().any(|network| network.contains(peer.ip()));
    if !is_trusted {
        return Err(OpenError::Untrusted(peer));
    }
    loop {
        match proxy_protocol::read(socket.early())? {
            Header::Complete { length, client } => {
                socket.consume(length);
                return Ok(client.unwrap_or(peer));
            }
            Header::Incomplete => socket.look(proxy_protocol::MAX_BYTES).await?,
        }
    }
}

/// HTTP/2 with prior knowledge begins with its preface (RFC 9113, section 3.3); the first byte that differs tells HTTP/1.
async fn tell_protocol(socket: &mut Socket) -> Result<Protocol, OpenError> {
    loop {
        let early = socket.early();
        if early.starts_with(PREFACE) {
            return Ok(Protocol::Http2);
        }
        if !PREFACE.starts_with(early) {
            return Ok(Protocol::Http1);
        }
        if let Err(error) = socket.look(FIRST_LOOK).await {
            // Whatever was cut short is for HTTP/1 to judge.
            return if socket.early().is_empty() { Err(error.into()) } else { Ok(Protocol::Http1) };
        }
    }
}

fn info(stream: &TlsStream<Socket>) -> TlsInfo {
    let connection = stream.get_ref().1;
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    TlsInfo {
        version,
        sni: connection.server_name().map(Into::into),
        identity: certificate.and_then(|certificate| identity::of(certificate)),
    }
}
