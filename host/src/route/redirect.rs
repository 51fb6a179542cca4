//! Where a client is sent instead (RFC 9110, section 15.4).

use std::borrow::Cow;
use std::fmt::Write;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header, request};

use super::rewrite::PrefixChange;
use crate::message::Reply;

/// What is different about the place where a client is sent.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// `http` or `https`.
    pub scheme: Option<&'static str>,
    /// Another host.
    pub host: Option<String>,
    /// Another port.
    pub port: Option<u16>,
    /// Another path.
    pub path: NewPath,
    /// Whether the query stays behind.
    pub strip_query: bool,
}

/// The path that a client is sent to.
#[derive(Clone, Debug)]
pub enum NewPath {
    /// The same.
    Kept,
    /// This one.
    Fixed(String),
    /// One with another prefix.
    Prefix(PrefixChange),
}

impl Redirect {
    /// The redirection of a request that was sent with that scheme; none if its host matters and is not known.
    #[must_use]
    pub fn reply(&self, head: &request::Parts, scheme: &'static str) -> Option<Reply> {
        let location = self.location(head, scheme)?;
        let location = HeaderValue::from_maybe_shared(Bytes::from(location)).ok()?;
        let fields = HeaderMap::from_iter([(header::LOCATION, location)]);
        Some(Reply::new(self.status, fields, Bytes::new()))
    }

    /// A reference as short as can be, so that a gateway behind others need not know how it is called.
    fn location(&self, head: &request::Parts, scheme: &'static str) -> Option<String> {
        let path = self.path(head.uri.path());
        let mut location = String::with_capacity(path.len() + 64);
        if self.scheme.is_some() || self.host.is_some() || self.port.is_some() {
            self.write_origin(&mut location, head, scheme)?;
        } else if path.starts_with("//") || path.starts_with("/\\") {
            // It would be taken for a host (RFC 3986, section 4.2).
            location.push_str("/.");
        }
        location.push_str(&path);
        if let Some(query) = head.uri.query().filter(|_| !self.strip_query) {
            location.push('?');
            location.push_str(query);
        }
        Some(location)
    }

    /// Scheme, host and port. The request's port stays, unless the scheme changes; the one that the scheme has anyway is
    /// left out.
    fn write_origin(&self, out: &mut String, head: &request::Parts, scheme: &'static str) -> Option<()> {
        let asked = head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let (asked_host, asked_port) = split_port(asked);
        let host = self.host.as_deref().unwrap_or(asked_host);
        let to = self.scheme.unwrap_or(scheme);
        let port = self.port.or_else(|| asked_port.filter(|_| self.scheme.is_none()));
        let usual = if to == "https" { 443 } else { 80 };
        write!(out, "{to}://{}", (!host.is_empty()).then_some(host)?).ok()?;
        match port.filter(|port| *port != usual) {
            Some(port) => write!(out, ":{port}").ok(),
            None => Some(()),
        }
    }

    fn path<'a>(&'a self, asked: &'a str) -> Cow<'a, str> {
        match &self.path {
            NewPath::Kept => Cow::Borrowed(asked),
            NewPath::Fixed(path) => Cow::Borrowed(path),
            NewPath::Prefix(change) => change.apply(asked).map_or(Cow::Borrowed(asked), Cow::Owned),
        }
    }
}

/// Host and port of `Host`.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAME: Redirect = Redirect {
        status: StatusCode::PERMANENT_REDIRECT,
        scheme: None,
        host: None,
        port: None,
        path: NewPath::Kept,
        strip_query: false,
    };

    fn location(redirect: Redirect, host: &str, uri: &str) -> Option<String> {
        let head = http::Request::builder().uri(uri).header("host", host).body(()).unwrap().into_parts().0;
        let (head, _) = redirect.reply(&head, "http")?.into_parts();
        assert_eq!(head.status, 308);
        Some(head.headers["location"].to_str().unwrap().to_owned())
    }

    #[test]
    fn another_scheme_has_its_own_port() {
        let https = || Redirect { scheme: Some("https"), ..SAME };
        assert_eq!(location(https(), "a.test:8080", "/x?y=1").unwrap(), "https://a.test/x?y=1");
        assert_eq!(location(https(), "[::1]:80", "/").unwrap(), "https://[::1]/");
        let elsewhere = Redirect { port: Some(8443), ..https() };
        assert_eq!(location(elsewhere, "a.test", "/").unwrap(), "https://a.test:8443/");
        assert_eq!(location(Redirect { port: Some(443), ..https() }, "a.test", "/").unwrap(), "https://a.test/");
        assert_eq!(location(https(), "", "/"), None);
    }

    #[test]
    fn another_host_keeps_scheme_and_port() {
        let other = || Redirect { host: Some("b.test".into()), ..SAME };
        assert_eq!(location(other(), "a.test:8080", "/x").unwrap(), "http://b.test:8080/x");
        assert_eq!(location(other(), "a.test:80", "/x").unwrap(), "http://b.test/x");
        assert_eq!(location(other(), "", "/x").unwrap(), "http://b.test/x");
        assert_eq!(location(Redirect { port: Some(81), ..SAME }, "a.test:8080", "/x").unwrap(), "http://a.test:81/x");
    }

    #[test]
    fn another_path_alone_is_relative() {
        let prefix = Redirect { path: NewPath::Prefix(PrefixChange::new("/old", "/new")), ..SAME };
        assert_eq!(location(prefix, "a.test", "/old/7?q").unwrap(), "/new/7?q");
        let fixed = Redirect { path: NewPath::Fixed("/here".into()), strip_query: true, ..SAME };
        assert_eq!(location(fixed, "a.test", "/old/7?q").unwrap(), "/here");
    }

    #[test]
    fn no_path_is_taken_for_a_host() {
        let strip = |with| Redirect { path: NewPath::Prefix(PrefixChange::new("/old", with)), ..SAME };
        assert_eq!(location(strip("/"), "a.test", "/old//evil.test/x").unwrap(), "/.//evil.test/x");
        assert_eq!(location(strip("/"), "a.test", "/old/\\evil.test").unwrap(), "/./\\evil.test");
        assert_eq!(location(Redirect { strip_query: true, ..SAME }, "a", "//evil.test?q").unwrap(), "/.//evil.test");
    }
}
