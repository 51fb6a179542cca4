//! Reads endpoints: `host:port` in the config file, `http://host:port` or `https://host:port` on the command line.

use std::net::{IpAddr, Ipv6Addr};

use super::{Endpoint, report::Wrong};

/// The endpoint that `host:port` stands for.
pub(super) fn parse_endpoint(text: &str) -> Result<Endpoint, Wrong> {
    if let Some((_, rest)) = text.split_once("://") {
        let rest = rest.trim_end_matches('/');
        return Err((format!("{text:?} is a URL"), format!("write host and port only: {rest:?}")));
    }
    let remedy = || "write \"host:port\", for example \"127.0.0.1:9000\"".to_owned();
    let Some((host, port)) = text.rsplit_once(':').filter(|(host, _)| !host.ends_with(':')) else {
        return Err((format!("{text:?} has no port"), remedy()));
    };
    let endpoint = |port| parse_host(host).map(|host| Endpoint { host, port });
    match port.parse::<u16>() {
        Ok(0) => Err((format!("{text:?} has port 0"), "write a port from 1 to 65535".to_owned())),
        Ok(port) => endpoint(port).ok_or_else(|| bad_host(text, host)),
        Err(_) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err((format!("{text:?} has a port out of range"), "write a port from 1 to 65535".to_owned()))
        }
        Err(_) => Err((format!("{text:?} has no port"), remedy())),
    }
}

/// The endpoint that `http://host:port` or `https://host:port` stands for, and whether it is the latter. The port may be
/// left out, and is 80 or 443 then.
pub(super) fn parse_url(text: &str) -> Result<(Endpoint, bool), Wrong> {
    let remedy = || "write http://host:port, for example http://127.0.0.1:9000".to_owned();
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let (is_https, port) = match scheme.to_ascii_lowercase().as_str() {
        "http" => (false, 80),
        "https" => (true, 443),
        _ => return Err(("is not an http:// or https:// URL".to_owned(), remedy())),
    };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(("has a user name, which is not supported".to_owned(), remedy()));
    }
    if !matches!(rest, "" | "/") {
        return Err((format!("has something after the port: {rest:?}"), "leave the path out".to_owned()));
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let endpoint = match has_port {
        true => parse_endpoint(authority),
        false => parse_host(authority).map(|host| Endpoint { host, port }).ok_or_else(|| bad_host(text, authority)),
    };
    endpoint.map(|endpoint| (endpoint, is_https))
}

/// A host name or an IP address in lower case; an IPv6 address must be in brackets, and loses them.
fn parse_host(text: &str) -> Option<String> {
    if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inside.parse::<Ipv6Addr>().ok().map(|address| address.to_string());
    }
    (is_host_name(text) || text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4())).then(|| text.to_lowercase())
}

/// Whether a text is a host name, of labels of letters, digits, `-` and `_` with dots between.
pub(super) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}

fn bad_host(text: &str, host: &str) -> Wrong {
    match host.parse::<Ipv6Addr>() {
        Ok(_) => (format!("{text:?} has an IPv6 address without brackets"), format!("write [{host}] before the port")),
        Err(_) if host.is_empty() => (format!("{text:?} has no host"), "write it before the port".to_owned()),
        Err(_) => (format!("{host:?} is not a host"), "write a host name or an IP address".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, port: u16) -> Result<Endpoint, Wrong> {
        Ok(Endpoint { host: host.into(), port })
    }

    #[test]
    fn endpoints_are_host_and_port() {
        assert_eq!(parse_endpoint("127.0.0.1:9000"), endpoint("127.0.0.1", 9000));
        assert_eq!(parse_endpoint("Orders.internal:80"), endpoint("orders.internal", 80));
        assert_eq!(parse_endpoint("[::1]:65535"), endpoint("::1", 65535));
    }

    #[test]
    fn each_wrong_endpoint_has_its_message() {
        for (wrong, message) in [
            ("orders", "\"orders\" has no port"),
            ("orders:", "\"orders:\" has no port"),
            ("orders:http", "\"orders:http\" has no port"),
            ("orders:0", "\"orders:0\" has port 0"),
            ("orders:65536", "\"orders:65536\" has a port out of range"),
            (":80", "\":80\" has no host"),
            ("::1:80", "\"::1:80\" has an IPv6 address without brackets"),
            ("or ders:80", "\"or ders\" is not a host"),
            ("[::g]:80", "\"[::g]\" is not a host"),
            ("http://orders:80/", "\"http://orders:80/\" is a URL"),
        ] {
            assert_eq!(parse_endpoint(wrong).unwrap_err().0, message);
        }
    }

    #[test]
    fn urls_are_http_or_https_without_a_path() {
        let url = |host: &str, port, is_https| Ok((Endpoint { host: host.into(), port }, is_https));
        assert_eq!(parse_url("http://127.0.0.1:9000"), url("127.0.0.1", 9000, false));
        assert_eq!(parse_url("HTTP://orders/"), url("orders", 80, false));
        assert_eq!(parse_url("http://[::1]"), url("::1", 80, false));
        assert_eq!(parse_url("https://orders"), url("orders", 443, true));
        assert_eq!(parse_url("Https://orders:9443/"), url("orders", 9443, true));
        for (wrong, message) in [
            ("ftp://orders", "is not an http:// or https:// URL"),
            ("orders:80", "is not an http:// or https:// URL"),
            ("http://u:secret@orders", "has a user name, which is not supported"),
            ("http://orders/v1", "has something after the port: \"/v1\""),
            ("https://orders?x=1", "has something after the port: \"?x=1\""),
            ("http://", "\"http://\" has no host"),
            ("http://orders:99999", "\"orders:99999\" has a port out of range"),
        ] {
            assert_eq!(parse_url(wrong).unwrap_err().0, message);
        }
    }
}
