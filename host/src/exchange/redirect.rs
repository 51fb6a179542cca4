//! The way to https, from a listener that sends everybody there.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::error::ExchangeError;
use crate::message::Reply;

/// A redirection to the same host, path and query under https.
pub(super) fn to_https(status: StatusCode, port: u16, host: &str, uri: &Uri) -> Result<Reply, ExchangeError> {
    let host = without_port(host);
    let nowhere = || ExchangeError::BadRequest("a request without a host cannot be redirected");
    if host.is_empty() {
        return Err(nowhere());
    }
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    // Of `OPTIONS *` there is no path.
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path } else { "/" };
    let location = HeaderValue::from_str(&format!("https://{host}{port}{path}")).map_err(|_| nowhere())?;
    let fields = HeaderMap::from_iter([(header::LOCATION, location)]);
    Ok(Reply::new(status, fields, Bytes::new()))
}

/// The colons of an IPv6 address are within brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(port: u16, host: &str, uri: &'static str) -> Option<String> {
        let reply = to_https(StatusCode::PERMANENT_REDIRECT, port, host, &Uri::from_static(uri)).ok()?;
        let (head, _) = reply.into_parts();
        Some(head.headers[header::LOCATION].to_str().unwrap().to_owned())
    }

    #[test]
    fn host_path_and_query_stay() {
        assert_eq!(location(443, "a.example:8080", "/b?c=d").unwrap(), "https://a.example/b?c=d");
        assert_eq!(location(8443, "a.example", "/").unwrap(), "https://a.example:8443/");
        assert_eq!(location(8443, "[::1]", "/").unwrap(), "https://[::1]:8443/");
        assert_eq!(location(443, "[::1]:80", "*").unwrap(), "https://[::1]/");
        assert_eq!(location(443, "", "/"), None);
    }
}
