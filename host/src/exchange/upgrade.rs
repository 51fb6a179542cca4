//! The wish to leave HTTP on a connection (RFC 9110, section 7.8), or on a stream of one (RFC 8441).

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request};
use http_body::Body as _;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;

use super::end::{ExchangeBody, ExchangeEnd};
use super::tunnel::{Handover, Tunnel};
use crate::message::{Body, Reply, websocket};

const WEBSOCKET: &str = "websocket";

/// What a client asks for with its request.
pub(super) struct Upgrade {
    /// The protocols that it offers.
    protocols: HeaderValue,
    /// The stream that becomes the tunnel; without one, it is the connection.
    stream: Option<OnUpgrade>,
}

impl Upgrade {
    /// What the request asks for, if anything. An extended CONNECT is turned into the request of HTTP/1.1 that asks for the
    /// same, which is what filters and upstreams see.
    pub(super) fn of(head: &mut request::Parts, body: &Body) -> Option<Self> {
        if head.method == Method::CONNECT {
            return Self::of_extended_connect(head);
        }
        let protocols = head.headers.get(header::UPGRADE)?;
        // A server may ignore the field: in HTTP/1.0 it must, and with content there would be two things to wait for.
        let is_asked = head.version == Version::HTTP_11 && body.is_end_stream() && is_option(&head.headers);
        let protocols = is_asked.then(|| worth_asking_for(protocols)).flatten()?;
        Some(Self { protocols, stream: None })
    }

    fn of_extended_connect(head: &mut request::Parts) -> Option<Self> {
        let protocol = head.extensions.remove::<Protocol>()?;
        let protocols = worth_asking_for(&HeaderValue::from_str(protocol.as_str()).ok()?)?;
        let stream = head.extensions.remove::<OnUpgrade>()?;
        head.method = Method::GET;
        if protocol.as_str().eq_ignore_ascii_case(WEBSOCKET) {
            head.headers.insert(header::SEC_WEBSOCKET_KEY, websocket::key());
        }
        Some(Self { protocols, stream: Some(stream) })
    }

    /// Whether the request can be served if there can be tunnels or not: without one, a CONNECT is nothing.
    pub(super) fn is_served(&self, tunnels: bool) -> bool {
        tunnels || self.stream.is_none()
    }

    /// Whether it can be asked for on a stream of HTTP/2, where there is one protocol that cannot be passed over (RFC 8441). What a
    /// client of HTTP/1.1 offers besides WebSockets, its server may pass over, and does.
    pub(super) fn fits_a_stream(&self) -> bool {
        self.stream.is_some() || self.is_websocket()
    }

    /// Asks the upstream for the same.
    pub(super) fn ask(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, self.protocols.clone());
    }

    /// Whether a protocol is among those that were offered.
    fn offers(&self, protocol: &HeaderValue) -> bool {
        let offered = self.protocols.to_str().unwrap_or_default().split(',');
        let same = |offered: &str| offered.trim().as_bytes().eq_ignore_ascii_case(protocol.as_bytes().trim_ascii());
        offered.into_iter().any(same)
    }

    fn is_websocket(&self) -> bool {
        self.protocols.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes())
    }
}

/// The protocol that an upstream has switched to, to be put back once the fields of its connection are gone; an error if
/// nobody offered that.
pub(super) fn switched(upgrade: Option<&Upgrade>, response: &Response<Body>) -> Result<Option<HeaderValue>, Unasked> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(None);
    }
    let protocol = response.headers().get(header::UPGRADE);
    let offered = protocol.filter(|protocol| upgrade.is_some_and(|upgrade| upgrade.offers(protocol)));
    offered.cloned().map(Some).ok_or(Unasked)
}

/// An upstream switched to a protocol that it was not asked for.
#[derive(Debug)]
pub(super) struct Unasked;

/// The fields of a 101.
pub(super) fn restore(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
}

/// The response as it goes to the client. If it is a 101, the exchange goes on as a tunnel; for all others, it ends with the
/// response.
pub(super) fn conclude(
    end: ExchangeEnd,
    response: Response<Body>,
    upgrade: Option<Upgrade>,
    handover: &Handover,
) -> Response<ExchangeBody> {
    let (mut head, body) = response.into_parts();
    let stream_only = upgrade.as_ref().is_some_and(|upgrade| upgrade.stream.is_some());
    match (body, upgrade) {
        (Body::Upgraded(upstream), Some(upgrade)) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
            let is_websocket = upgrade.is_websocket();
            match upgrade.stream {
                None => end.tunnel(head, |end| handover.put(Tunnel::new(*upstream, end, is_websocket))),
                Some(stream) => {
                    head.status = StatusCode::OK;
                    for name in [header::CONNECTION, header::UPGRADE, header::SEC_WEBSOCKET_ACCEPT] {
                        head.headers.remove(name);
                    }
                    end.tunnel(head, |end| handover.spawn(Tunnel::new(*upstream, end, is_websocket), stream))
                }
            }
        }
        // To a CONNECT, every 2xx would say that there is a tunnel.
        (_, _) if stream_only && head.status.is_success() => {
            let (head, body) =
                Reply::problem(StatusCode::BAD_GATEWAY, "the upstream does not switch protocols").into_parts();
            end.respond(Response::from_parts(head, body))
        }
        (Body::Upgraded(_), _) => end.respond(Response::from_parts(head, Body::Empty)),
        (body, _) => end.respond(Response::from_parts(head, body)),
    }
}

/// Whether `Connection` has the option.
fn is_option(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
}

/// The protocols without those that are HTTP again: in a tunnel it would pass all filters unseen (RFC 9113, section 3.1,
/// has retired `h2c` for good).
fn worth_asking_for(protocols: &HeaderValue) -> Option<HeaderValue> {
    let is_http = |protocol: &&str| {
        let name = protocol.split('/').next().unwrap_or_default().to_ascii_lowercase();
        ["", "http", "h2", "h2c", "h3", "tls"].contains(&name.as_str())
    };
    let text = protocols.to_str().ok()?;
    let others: Vec<_> = text.split(',').map(str::trim).filter(|protocol| !is_http(protocol)).collect();
    if others.is_empty() { None } else { HeaderValue::from_str(&others.join(", ")).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_not_worth_asking_for() {
        let rest =
            |value| worth_asking_for(&HeaderValue::from_static(value)).map(|rest| rest.to_str().unwrap().to_owned());
        assert_eq!(rest("websocket").as_deref(), Some("websocket"));
        assert_eq!(rest("h2c, WebSocket, TLS/1.0, foo/2").as_deref(), Some("WebSocket, foo/2"));
        for http in ["h2c", "HTTP/2.0", "H2C, tls/1.2", "", " , "] {
            assert_eq!(rest(http), None, "{http}");
        }
    }

    #[test]
    fn the_option_may_be_among_others() {
        let headers = |value| HeaderMap::from_iter([(header::CONNECTION, HeaderValue::from_static(value))]);
        assert!(is_option(&headers("keep-alive, Upgrade")));
        assert!(!is_option(&headers("keep-alive, upgraded")));
    }
}
