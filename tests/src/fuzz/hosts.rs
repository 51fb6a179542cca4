//! Hosts: what passes for one is one to others as well, and the same one.

use http::uri::Authority;
use tollgate::framing::is_host;

/// The value of `Host`, or an authority.
pub fn run(data: &[u8]) {
    if !is_host(data) {
        return;
    }
    let text = std::str::from_utf8(data).unwrap_or_else(|_| panic!("{data:?} is no text"));
    let authority: Authority = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(authority.as_str(), text);
    assert!(!text.contains(['@', '/', '?', '#', ',', '%', ' ']), "{text:?} can be read in two ways");
    let port = text.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
    match port {
        None => assert_eq!(authority.host(), text),
        Some(port) => {
            assert_eq!(authority.host(), &text[..text.len() - port.len() - 1]);
            assert!(port.is_empty() || port.parse::<u16>().is_ok(), "{text:?} has no port");
        }
    }
}

/// Hosts and what is none.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::texts([
        "a.test:80",
        "A-b_c.test.",
        "127.0.0.1:65535",
        "[::1]:80",
        "[2001:db8::7]",
        "a:",
        "u@a",
        "a%62",
        "a,b",
    ])
}
