//! The way out through a proxy, where the environment names one: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or
//! not. This machine itself is never spoken to through one.

use std::io;
use std::sync::OnceLock;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Error;
use super::access::is_local;
use super::http::Target;

/// The longest head of an answer to `CONNECT`.
const MAX_HEAD: usize = 16 << 10;

/// What the environment says.
#[derive(Debug)]
struct Proxies {
    matcher: Matcher,
    /// The variable that says nothing that can be used.
    wrong: Option<&'static str>,
}

/// The proxy for a target.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    /// Whether it is itself spoken to by TLS.
    pub(super) is_secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// What it is told about who asks.
    pub(super) authorization: Option<HeaderValue>,
}

/// The proxy that leads there, if one does.
pub(super) fn proxy_to(target: &Target) -> Result<Option<Proxy>, Error> {
    static PROXIES: OnceLock<Proxies> = OnceLock::new();
    PROXIES.get_or_init(|| Proxies::by(|name| std::env::var(name).ok())).to(target)
}

impl Proxies {
    fn by(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            let found = get(name).filter(|value| !value.is_empty());
            found.or_else(|| get(&name.to_ascii_lowercase())).unwrap_or_default()
        };
        let (all, http, https) = (get("ALL_PROXY"), get("HTTP_PROXY"), get("HTTPS_PROXY"));
        let named = [("ALL_PROXY", &all), ("HTTP_PROXY", &http), ("HTTPS_PROXY", &https)];
        let wrong = named.into_iter().find(|(_, value)| !value.is_empty() && !is_proxy(value));
        let wrong = wrong.map(|(name, _)| name);
        Self { matcher: Matcher::builder().all(all).http(http).https(https).no(get("NO_PROXY")).build(), wrong }
    }

    fn to(&self, target: &Target) -> Result<Option<Proxy>, Error> {
        if is_local(&target.authority) {
            return Ok(None);
        }
        if let Some(name) = self.wrong {
            return Err(Error::wrong(name, "in the environment is no address of a proxy; write http://HOST:PORT"));
        }
        let scheme = if target.plain { "http" } else { "https" };
        let uri = format!("{scheme}://{}/", target.authority).parse::<Uri>().ok();
        let Some(found) = uri.and_then(|uri| self.matcher.intercept(&uri)) else { return Ok(None) };
        let is_secure = found.uri().scheme_str() == Some("https");
        let host = found.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = found.uri().port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Ok(Some(Proxy { is_secure, host, port, authorization: found.basic_auth().cloned() }))
    }
}

/// Whether it is the address of a proxy that is spoken to by HTTP.
fn is_proxy(value: &str) -> bool {
    let anywhere = Uri::from_static("https://a.example/");
    let found = Matcher::builder().all(value).build().intercept(&anywhere);
    found
        .is_some_and(|found| matches!(found.uri().scheme_str(), Some("http" | "https")) && found.uri().host().is_some())
}

impl Proxy {
    /// As errors name it: never with a password.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Has it lead a connection to a target, for TLS to go through.
    pub(super) async fn tunnel(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), to: &str) -> io::Result<()> {
        let mut head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            head.extend_from_slice(b"Proxy-Authorization: ");
            head.extend_from_slice(authorization.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        stream.write_all(&head).await?;
        let mut answer = Vec::new();
        // Whoever is behind it says nothing before it is greeted, so no byte of theirs is read here. A refusal may have content.
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            if answer.len() >= MAX_HEAD || stream.read_buf(&mut answer).await? == 0 {
                return Err(io::Error::other("gives no answer that can be understood"));
            }
        }
        let is_bare = answer.ends_with(b"\r\n\r\n");
        let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let status = line.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..));
        match status {
            Some(status) if status.starts_with(b"2") && is_bare => Ok(()),
            Some(status) if status.starts_with(b"2") => Err(io::Error::other("says more than that there is a way")),
            Some(status) => Err(io::Error::other(format!("answers {}", String::from_utf8_lossy(status).trim()))),
            None => Err(io::Error::other("gives no answer that can be understood")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(environment: &[(&str, &str)], plain: bool, authority: &str) -> Result<Option<String>, Error> {
        let get = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let target = Target { plain, authority: authority.to_owned(), path: "/v2/".to_owned() };
        Ok(Proxies::by(get).to(&target)?.map(|proxy| proxy.name()))
    }

    #[test]
    fn variables_of_the_environment_count() {
        let both = [("HTTPS_PROXY", "http://u:p%40@proxy.example:3128"), ("http_proxy", "other.example:81")];
        assert_eq!(proxy(&both, false, "ghcr.io").unwrap().unwrap(), "proxy.example:3128");
        assert_eq!(proxy(&both, true, "ghcr.io").unwrap().unwrap(), "other.example:81");
        assert_eq!(proxy(&both[..1], true, "ghcr.io").unwrap(), None);
        assert_eq!(proxy(&[("ALL_PROXY", "https://p.example")], false, "ghcr.io").unwrap().unwrap(), "p.example:443");
        for local in ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"] {
            assert_eq!(proxy(&both, false, local).unwrap(), None, "{local}");
        }
    }

    #[test]
    fn hosts_may_be_left_out() {
        let no = |hosts| [("HTTPS_PROXY", "http://p.example:1"), ("NO_PROXY", hosts)];
        for hosts in ["*", "internal.example", ".internal.example", "10.0.0.0/8, registry.internal.example"] {
            assert_eq!(proxy(&no(hosts), false, "registry.internal.example:5000").unwrap(), None, "{hosts}");
        }
        assert_eq!(proxy(&no("10.0.0.0/8"), false, "10.1.2.3:5000").unwrap(), None);
        for hosts in ["", "example.org", "other.example"] {
            assert!(proxy(&no(hosts), false, "registry.internal.example").unwrap().is_some(), "{hosts}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_told_without_what_it_says() {
        for wrong in ["socks5://p.example:1", "ftp://u:secret@p.example", "http://"] {
            let error = proxy(&[("HTTPS_PROXY", wrong)], false, "ghcr.io").unwrap_err().to_string();
            assert!(error.starts_with("HTTPS_PROXY in the environment is no address of a proxy"), "{wrong}: {error}");
        }
    }
}
