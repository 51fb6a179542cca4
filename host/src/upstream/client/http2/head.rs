//! A request's head as HTTP/2 has it: the authority in place of `Host` (RFC 9113, section 8.3.1), and extended CONNECT in place of
//! `Upgrade` (RFC 8441).

use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri, Version, header, request};
use hyper::ext::Protocol;

use crate::upstream::{Endpoint, UpstreamError};

/// The head to send. The given one stays as it is, as it may have to be sent again, in whatever version.
pub(super) fn to_http2(head: &request::Parts, endpoint: &Endpoint, tls: bool) -> Result<request::Parts, UpstreamError> {
    let (mut sent, ()) = Request::new(()).into_parts();
    sent.method = head.method.clone();
    sent.version = Version::HTTP_2;
    sent.headers = head.headers.clone();
    let authority = authority(&mut sent.headers, endpoint)?;
    // What is there still has been put there for the upstream.
    if let Some(protocol) = sent.headers.get(header::UPGRADE).and_then(|protocol| protocol.to_str().ok()) {
        sent.extensions.insert(Protocol::from(protocol));
        sent.method = Method::CONNECT;
        sent.headers.remove(header::SEC_WEBSOCKET_KEY);
    }
    for name in [header::CONNECTION, header::UPGRADE, header::TRANSFER_ENCODING] {
        sent.headers.remove(name);
    }
    let mut parts = Parts::default();
    parts.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(authority);
    parts.path_and_query = head.uri.path_and_query().cloned().or_else(|| Some(PathAndQuery::from_static("/")));
    sent.uri = Uri::from_parts(parts).map_err(|_| UpstreamError::Authority)?;
    Ok(sent)
}

/// Where a request of HTTP/1.0 was sent to need not be in it.
fn authority(headers: &mut HeaderMap, endpoint: &Endpoint) -> Result<Authority, UpstreamError> {
    match headers.remove(header::HOST).filter(|host| !host.is_empty()) {
        Some(host) => Authority::from_maybe_shared(bytes::Bytes::copy_from_slice(host.as_bytes())),
        None => Authority::from_maybe_shared(endpoint.authority()),
    }
    .map_err(|_| UpstreamError::Authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(request: http::request::Builder) -> request::Parts {
        let head = request.body(()).unwrap().into_parts().0;
        let endpoint = Endpoint::new("orders".into(), "[::1]:9000".parse().unwrap(), Default::default());
        to_http2(&head, &endpoint, false).unwrap()
    }

    #[test]
    fn the_host_becomes_the_authority() {
        let head = sent(Request::get("/a?b").header("host", "api.test:81").header("te", "trailers"));
        assert_eq!(head.uri, "http://api.test:81/a?b");
        assert_eq!((head.headers.contains_key("host"), &head.headers["te"]), (false, &"trailers".parse().unwrap()));
    }

    #[test]
    fn an_upgrade_becomes_an_extended_connect() {
        let fields =
            Request::get("/a").header("host", "a").header("connection", "upgrade").header("upgrade", "websocket");
        let head = sent(fields.header("sec-websocket-key", "k").header("sec-websocket-version", "13"));
        assert_eq!((&head.method, head.uri.to_string().as_str()), (&Method::CONNECT, "http://a/a"));
        assert_eq!(head.extensions.get::<Protocol>().map(Protocol::as_str), Some("websocket"));
        let names: Vec<_> = head.headers.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["sec-websocket-version"]);
    }

    #[test]
    fn without_a_host_it_is_the_endpoint() {
        assert_eq!(sent(Request::get("/")).uri, "http://orders:9000/");
    }
}
