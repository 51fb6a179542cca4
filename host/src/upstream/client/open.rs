//! Opens sockets: TCP, then TLS where the upstream wants it, both within the connect time-out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::stream::Stream;
use crate::upstream::tls::{self, Tls};
use crate::upstream::{Endpoint, Settings, UpstreamError};

/// Opens sockets to the endpoints of one upstream. TLS sessions are resumed within a worker, so workers share no lock.
pub(in crate::upstream) struct Opener(Option<(Arc<Tls>, TlsConnector)>);

impl Opener {
    pub(in crate::upstream) fn new(settings: &Settings) -> Self {
        let secured = |tls: &Arc<Tls>| (Arc::clone(tls), tls.connector(settings.http2.is_some()));
        Self(settings.tls.as_ref().map(secured))
    }

    /// A socket that is ready for HTTP.
    pub(in crate::upstream) async fn open(
        &self,
        settings: &Settings,
        endpoint: &Endpoint,
        within: Duration,
    ) -> Result<Stream, UpstreamError> {
        let failed = |source| UpstreamError::Connect { endpoint: endpoint.to_string(), source };
        let open = async {
            let stream = connect(endpoint).await?;
            match &self.0 {
                None => Ok(Stream::Plain(stream)),
                // Boxed, as it is large and only there for connections that it makes expensive anyway.
                Some((tls, connector)) => Box::pin(secure(connector, tls, settings, endpoint, stream)).await,
            }
        };
        match tokio::time::timeout(within, open).await {
            Ok(stream) => stream.map_err(failed),
            Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
        }
    }
}

async fn connect(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(endpoint.address).await?;
    // Heads and small bodies go out at once.
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn secure(
    connector: &TlsConnector,
    tls: &Tls,
    settings: &Settings,
    endpoint: &Endpoint,
    stream: TcpStream,
) -> io::Result<Stream> {
    let stream = connector.connect(tls.server_name(&endpoint.host)?, stream).await?;
    // Without ALPN there is no HTTP/2 over TLS (RFC 9113, section 3.2).
    if settings.http2.is_some() && stream.get_ref().1.alpn_protocol() != Some(tls::HTTP_2) {
        return Err(io::Error::other("the server does not speak HTTP/2 (ALPN h2)"));
    }
    Ok(Stream::Tls(Box::new(stream)))
}
