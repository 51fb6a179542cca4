//! The fields that a proxy removes and adds (RFC 9110, section 7.6; RFC 7239).

use http::header::{self, Entry};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, request};

use crate::framing::has_option;
use crate::message::ClientInfo;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Which of the fields that are looked at here a head has. One pass over its names costs less than a look-up for each of them,
/// and most heads have none.
#[derive(Default)]
struct Present {
    connection: bool,
    /// Any other field of the connection.
    hop: bool,
    te: bool,
    expect: bool,
    cookie: bool,
    forwarded_for: bool,
    forwarded: bool,
}

impl Present {
    fn of(headers: &HeaderMap) -> Self {
        let mut present = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "connection" => present.connection = true,
                "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" => present.hop = true,
                "te" => present.te = true,
                "expect" => present.expect = true,
                "cookie" => present.cookie = true,
                "x-forwarded-for" => present.forwarded_for = true,
                "forwarded" => present.forwarded = true,
                _ => {}
            }
        }
        present
    }
}

/// Makes a received request one that can be forwarded: no fields of the connection, origin form, and the client's
/// address appended to `X-Forwarded-For` (and to `Forwarded`, where there is one), so its last element is ours.
/// `X-Forwarded-Host` and `X-Forwarded-Proto` are replaced: they say what this gateway saw.
pub fn to_upstream(head: &mut request::Parts, client: &ClientInfo) {
    let present = Present::of(&head.headers);
    let takes_trailers = present.te && takes_trailers(&head.headers);
    remove_connection_fields(&mut head.headers, &present);
    if takes_trailers {
        // Trailers pass, so who takes them may say so (RFC 9110, section 10.1.4); calls of gRPC must.
        head.headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if present.expect {
        // Answered here: the server sends 100 (Continue) when the body is first read.
        head.headers.remove(header::EXPECT);
    }
    if present.cookie && head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
    }
    head.version = Version::HTTP_11;
    to_origin_form(head);
    add_forwarded(&mut head.headers, client, &present);
}

/// Makes a received response one that can be forwarded.
pub fn to_client(headers: &mut HeaderMap) {
    let present = Present::of(headers);
    remove_connection_fields(headers, &present);
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(header::TE).iter().any(|value| has_option(value.as_bytes(), "trailers"))
}

/// Fields of the connection rather than of the message, and those that `Connection` names (section 7.6.1).
fn remove_connection_fields(headers: &mut HeaderMap, present: &Present) {
    if present.connection {
        remove_options(headers);
    }
    if present.hop || present.te {
        for name in [KEEP_ALIVE, PROXY_CONNECTION, header::TE, header::TRANSFER_ENCODING, header::UPGRADE] {
            headers.remove(name);
        }
    }
}

fn remove_options(headers: &mut HeaderMap) {
    let Entry::Occupied(entry) = headers.entry(header::CONNECTION) else { return };
    // What nearly all upstreams say, and what names no field that would stay.
    if entry.iter().all(|value| value.as_bytes().eq_ignore_ascii_case(b"keep-alive")) {
        entry.remove();
        return;
    }
    let (_, values) = entry.remove_entry_mult();
    let values: Vec<HeaderValue> = values.collect();
    for name in values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')) {
        // Framing is not a matter of options: it must survive.
        if let Ok(name) = HeaderName::from_bytes(name.trim().as_bytes())
            && name != header::CONTENT_LENGTH
            && name != header::HOST
        {
            headers.remove(name);
        }
    }
}

/// HTTP/2 clients may send cookies one by one; whoever comes next expects them in one field (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let cookies: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(b"; ".as_slice())) {
        headers.insert(header::COOKIE, joined);
    }
}

/// The authority of an absolute URI goes where an origin server expects it (RFC 9112, section 3.2.2).
fn to_origin_form(head: &mut request::Parts) {
    let Some(authority) = head.uri.authority() else { return };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        head.headers.insert(header::HOST, host);
    }
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = head.uri.path_and_query().cloned();
    head.uri = Uri::from_parts(parts).unwrap_or_else(|_| Uri::from_static("/"));
}

fn add_forwarded(headers: &mut HeaderMap, client: &ClientInfo, present: &Present) {
    let mut address = client.address_text.clone();
    if present.forwarded_for {
        let mut chain = Vec::with_capacity(64);
        for earlier in headers.get_all(&X_FORWARDED_FOR) {
            chain.extend_from_slice(earlier.as_bytes());
            chain.extend_from_slice(b", ");
        }
        chain.extend_from_slice(client.address_text.as_bytes());
        address = HeaderValue::from_maybe_shared(bytes::Bytes::from(chain)).unwrap_or(address);
    }
    headers.insert(X_FORWARDED_FOR, address);
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(client.scheme));
    match headers.get(header::HOST).cloned() {
        Some(host) => {
            headers.insert(X_FORWARDED_HOST, host);
        }
        // HTTP/1.0 needs none, HTTP/1.1 does, even if there is nothing to say (RFC 9112, section 3.2).
        None => {
            headers.remove(X_FORWARDED_HOST);
            headers.insert(header::HOST, HeaderValue::from_static(""));
        }
    }
    if present.forwarded {
        let address = match client.address.ip() {
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("\"[{ip}]\""),
        };
        if let Ok(element) = HeaderValue::from_str(&format!("for={address};proto={}", client.scheme)) {
            headers.append(header::FORWARDED, element);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> ClientInfo {
        ClientInfo::new("192.0.2.7:1234".parse().unwrap(), "public".into(), "http")
    }

    fn forwarded(fields: &[(&'static str, &'static str)], uri: &'static str) -> request::Parts {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        to_upstream(&mut head, &client());
        head
    }

    #[test]
    fn what_belongs_to_the_connection_stays_there() {
        let head = forwarded(
            &[
                ("host", "a"),
                ("connection", "close, x-hop, te"),
                ("connection", "content-length"),
                ("x-hop", "1"),
                ("te", "gzip, trailers"),
                ("keep-alive", "5"),
                ("expect", "100-continue"),
                ("content-length", "3"),
                ("x-stays", "1"),
            ],
            "/",
        );
        let mut names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected =
            ["content-length", "host", "te", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-stays"];
        assert_eq!(names, expected);
        assert_eq!(head.headers[header::TE], "trailers");
    }

    #[test]
    fn a_request_without_a_host_was_sent_to_none() {
        let head = forwarded(&[("x-forwarded-host", "made.up")], "/");
        assert_eq!(
            (head.headers.get("x-forwarded-host"), &head.headers["host"]),
            (None, &HeaderValue::from_static(""))
        );
    }

    #[test]
    fn the_client_is_the_last_element() {
        let head = forwarded(
            &[
                ("host", "a"),
                ("x-forwarded-for", "9.9.9.9"),
                ("x-forwarded-for", "8.8.8.8"),
                ("forwarded", "for=9.9.9.9"),
            ],
            "/",
        );
        assert_eq!(head.headers["x-forwarded-for"], "9.9.9.9, 8.8.8.8, 192.0.2.7");
        let forwarded: Vec<_> = head.headers.get_all("forwarded").iter().collect();
        assert_eq!(forwarded, ["for=9.9.9.9", "for=192.0.2.7;proto=http"]);
    }

    #[test]
    fn an_absolute_uri_becomes_path_and_host() {
        let head = forwarded(&[("host", "other")], "http://api.example.com/a?b=c");
        assert_eq!(head.uri, "/a?b=c");
        assert_eq!(head.headers[header::HOST], "api.example.com");
    }
}
