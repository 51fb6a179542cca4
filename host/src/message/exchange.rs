//! The heads of one exchange and what is known about it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, response};

use super::head::RequestHead;
use super::principal::Principal;
use super::tls::{Identity, TlsInfo};
use crate::telemetry::TraceContext;

/// Which head of an exchange is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// What the client sent.
    Request,
    /// What the client will get.
    Response,
}

/// Who is at the other end of a downstream connection. Made once per connection.
#[derive(Debug)]
pub struct ClientInfo {
    /// The client's address.
    pub address: SocketAddr,
    /// `address` without the port, as text.
    pub address_text: HeaderValue,
    /// The name of the listener that accepted the connection.
    pub listener: Arc<str>,
    /// `http` or `https`, as the client used it.
    pub scheme: &'static str,
    /// What the handshake has told, if the connection is TLS.
    pub tls: Option<TlsInfo>,
}

impl ClientInfo {
    /// Describes a client of the given listener.
    #[must_use]
    pub fn new(address: SocketAddr, listener: Arc<str>, scheme: &'static str) -> Self {
        let ip = address.ip().to_canonical();
        let address_text =
            HeaderValue::from_str(&ip.to_string()).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self { address: SocketAddr::new(ip, address.port()), address_text, listener, scheme, tls: None }
    }
}

impl ClientInfo {
    /// A client that came over TLS.
    #[must_use]
    pub fn over_tls(address: SocketAddr, listener: Arc<str>, tls: TlsInfo) -> Self {
        Self { tls: Some(tls), ..Self::new(address, listener, "https") }
    }

    /// What the client's certificate says, if it has shown one.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.tls.as_ref().and_then(|tls| tls.identity.as_ref())
    }
}

/// What filters have found out about an exchange; no client can set it.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// How whoever the request is made for is called, if otherwise than by the subject.
    pub consumer: Option<HeaderValue>,
    /// Who that is.
    pub principal: Option<Box<Principal>>,
    /// What kind of request it is, for the route to choose by (`@class`).
    pub class: Option<Box<str>>,
    /// Anything else (`@attr:NAME`), in the order it was set.
    pub attributes: Vec<(Box<str>, HeaderValue)>,
}

impl Context {
    /// How whoever the request is made for is called (`@consumer`).
    #[must_use]
    pub fn consumer(&self) -> Option<&HeaderValue> {
        self.consumer.as_ref().or_else(|| self.principal.as_ref().map(|principal| &principal.subject))
    }
}

/// One request and what became of it so far. Boxed, as it moves in and out of sandboxes.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The client.
    pub client: Arc<ClientInfo>,
    /// The name of the route that was found.
    pub route: Arc<str>,
    /// Where it belongs, if exchanges are traced.
    pub trace: Option<TraceContext>,
    /// The request's head. While the upstream has it, it says nothing here, unless the chain asked for a copy.
    pub request: RequestHead,
    /// The response's head, once there is one.
    pub response: Option<response::Parts>,
    /// What filters have found out.
    pub context: Context,
}

impl Exchange {
    /// The authority that the request was sent to: of an absolute URI, else of `Host` (RFC 9110, section 7.2).
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        match self.request.uri.authority() {
            Some(authority) => Some(authority.as_str().as_bytes()),
            None => self.request.headers.get(http::header::HOST).map(HeaderValue::as_bytes),
        }
    }

    /// Path and query of the request.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        self.request.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
    }

    /// The fields of the given head; none before there is one.
    #[must_use]
    pub fn fields(&self, message: Message) -> Option<&HeaderMap> {
        match message {
            Message::Request => Some(&self.request.headers),
            Message::Response => self.response.as_ref().map(|head| &head.headers),
        }
    }
}

/// In the extensions of a response's head: it is no upstream's.
#[derive(Clone, Copy, Debug)]
pub struct MadeHere;

/// A response that is made here instead of by the upstream. Boxed, as hooks hand it on and nearly never make one.
#[derive(Debug)]
pub struct Reply(Box<http::Response<Bytes>>);

impl Reply {
    /// With a final status and fields that do not frame it.
    #[must_use]
    pub fn new(status: StatusCode, fields: HeaderMap, body: Bytes) -> Self {
        let mut response = http::Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = fields;
        Self(Box::new(response))
    }

    /// Its fields.
    #[must_use]
    pub fn fields(&self) -> &HeaderMap {
        self.0.headers()
    }

    /// An error as a problem document (RFC 9457).
    #[must_use]
    pub fn problem(status: StatusCode, detail: &str) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        let document =
            serde_json::json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
        let mut fields = HeaderMap::with_capacity(4);
        fields.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        Self::new(status, fields, document.to_string().into())
    }

    /// The answer to a request with more of a body than is allowed.
    #[must_use]
    pub fn too_large() -> Self {
        Self::problem(StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large")
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// Says after how many seconds to try again (RFC 9110, section 10.2.3).
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with(http::header::RETRY_AFTER, seconds.into())
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }

    /// Splits into head and body. The head is marked with `MadeHere`.
    #[must_use]
    pub fn into_parts(self) -> (response::Parts, super::Body) {
        let (mut head, body) = self.0.into_parts();
        head.extensions.insert(MadeHere);
        (head, super::Body::full(body))
    }
}
