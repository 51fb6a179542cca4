//! One request over a connection of its own, with a bounded answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Error;
use super::proxy::Proxy;

/// How long a connection may take to stand, and how long nothing may come.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) plain: bool,
    /// Host and port.
    pub(super) authority: String,
    /// Path and query.
    pub(super) path: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    /// The largest answer that is read, in bytes.
    pub(super) most: u64,
}

/// How a target is reached.
pub(super) struct Way {
    /// TLS to it, unless it is spoken to in clear.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// Through whom, with TLS to that one if it wants it.
    pub(super) proxy: Option<(Proxy, Option<Arc<ClientConfig>>)>,
}

impl Target {
    /// What a `Location` or a realm means, as seen from here.
    pub(super) fn join(&self, location: &str) -> Option<Self> {
        let uri: Uri = location.parse().ok()?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        match (uri.scheme_str(), uri.authority()) {
            (None, None) if path.starts_with('/') && !path.starts_with("//") => Some(Self { path, ..self.clone() }),
            (Some(scheme @ ("http" | "https")), Some(authority)) if !authority.as_str().contains('@') => {
                Some(Self { plain: scheme == "http", authority: authority.to_string(), path })
            }
            _ => None,
        }
    }

    fn host(&self) -> (&str, u16) {
        let default = if self.plain { 80 } else { 443 };
        match self.authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(default)),
            _ => (&self.authority, default),
        }
    }
}

impl Way {
    /// A connection on which the target is asked.
    async fn connect(&self, target: &Target) -> io::Result<Stream> {
        let (host, port) = target.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream = match &self.proxy {
            None => plain(bare, port).await?,
            Some((proxy, tls)) => {
                let by = |error: io::Error| io::Error::other(format!("the proxy {} {error}", proxy.name()));
                let stream = plain(&proxy.host, proxy.port).await.map_err(|error| by(unreached(error)))?;
                let mut stream =
                    secured(stream, tls.as_ref(), &proxy.host).await.map_err(|error| by(unreached(error)))?;
                if !target.plain {
                    proxy.tunnel(&mut stream, &format!("{host}:{port}")).await.map_err(by)?;
                }
                stream
            }
        };
        secured(stream, self.tls.as_ref().filter(|_| !target.plain), bare).await
    }

    /// The proxy that is asked for what is in clear.
    fn asked(&self, target: &Target) -> Option<&Proxy> {
        self.proxy.as_ref().map(|(proxy, _)| proxy).filter(|_| target.plain)
    }
}

async fn plain(host: &str, port: u16) -> io::Result<Stream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

async fn secured(stream: Stream, tls: Option<&Arc<ClientConfig>>, name: &str) -> io::Result<Stream> {
    let Some(tls) = tls else { return Ok(stream) };
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?))
}

fn unreached(error: io::Error) -> io::Error {
    io::Error::other(format!("cannot be reached: {error}"))
}

/// Sends it, and reads what comes back.
pub(super) async fn send(target: &Target, way: Way, message: Message) -> Result<Answer, Error> {
    let failed = |problem: String| Error::server(&target.authority, problem);
    let stream = tokio::time::timeout(CONNECT, way.connect(target)).await;
    let stream = stream.map_err(|_| failed("does not answer in time".into()))?;
    let stream = stream.map_err(|error| failed(format!("cannot be reached: {error}")))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| failed(format!("breaks off: {error}")))?;
    let exchange = async {
        let most = message.most;
        let request = request(target, way.asked(target), message)
            .map_err(|error| failed(format!("cannot be asked that: {error}")))?;
        let response = within(sender.send_request(request)).await.map_err(failed)?;
        let response = response.map_err(|error| failed(format!("gives no answer: {error}")))?;
        let (head, mut body) = response.into_parts();
        let mut content = Vec::new();
        while let Some(frame) = within(body.frame()).await.map_err(failed)? {
            let frame = frame.map_err(|error| failed(format!("breaks off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if content.len() as u64 + data.len() as u64 > most {
                return Err(failed(format!("sends more than {most} bytes, which is too much for what it should be")));
            }
            content.extend_from_slice(&data);
        }
        Ok(Answer { status: head.status, headers: head.headers, body: content })
    };
    tokio::pin!(exchange);
    tokio::pin!(connection);
    // The connection is driven here, and dropped with all that it has when the answer is complete.
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        ended = &mut connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(failed(format!("breaks off: {error}"))),
        },
    }
}

trait Bytestream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytestream for T {}
type Stream = Box<dyn Bytestream>;

/// The request; one that goes to a proxy names its target in full.
fn request(target: &Target, proxy: Option<&Proxy>, message: Message) -> Result<Request<Full<Bytes>>, http::Error> {
    let uri = match proxy {
        Some(_) => format!("http://{}{}", target.authority, target.path),
        None => target.path.clone(),
    };
    let mut request = Request::builder().method(message.method).uri(uri);
    if let Some(headers) = request.headers_mut() {
        headers.extend(message.headers);
        let authorization = proxy.and_then(|proxy| proxy.authorization.clone());
        headers.extend(authorization.map(|value| (header::PROXY_AUTHORIZATION, value)));
        headers.insert(header::HOST, HeaderValue::from_str(&target.authority)?);
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION"))));
    }
    request.body(Full::new(message.body))
}

async fn within<T>(step: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(SILENCE, step).await.map_err(|_| "does not answer in time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_as_seen_from_the_request() {
        let here = Target { plain: false, authority: "ghcr.io".into(), path: "/v2/".into() };
        let other = here.join("http://b.example:81/x?y=z").unwrap();
        assert_eq!((other.plain, other.host(), other.path.as_str()), (true, ("b.example", 81), "/x?y=z"));
        assert_eq!(here.join("/v2/a").unwrap().authority, "ghcr.io");
        assert_eq!(here.join("https://b.example").unwrap().host(), ("b.example", 443));
        for wrong in ["ftp://a/b", "a/b", "https://u:p@a/b", "//a/b", ""] {
            assert!(here.join(wrong).is_none(), "{wrong}");
        }
    }
}
