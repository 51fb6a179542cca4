//! Answers of the gateway itself to calls of gRPC. Its clients look for a status in the trailers and make little of anything
//! else, so that is what they get: a response of trailers only ("Trailers-Only" in gRPC over HTTP/2).

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request};
use serde_json::Value;

use crate::message::{Body, MadeHere};

const GRPC: &str = "application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Whether a request is a call of gRPC. That of gRPC-Web, which has another content type, is none.
pub(super) fn is_call(head: &request::Parts) -> bool {
    let is_grpc = |value: &HeaderValue| {
        let subtype = value.as_bytes().strip_prefix(GRPC.as_bytes());
        subtype.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
    };
    head.method == Method::POST && head.headers.get(header::CONTENT_TYPE).is_some_and(is_grpc)
}

/// The same answer in the terms of gRPC, if it is an error that was made here: by the gateway or by a filter. What an
/// upstream says is its own affair.
pub(super) fn translate(response: Response<Body>) -> Response<Body> {
    let is_ours = response.extensions().get::<MadeHere>().is_some();
    if !is_ours || response.status().is_success() || response.status().is_redirection() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let message = message(head.status, &head.headers, &body);
    for name in [header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::TRAILER] {
        head.headers.remove(name);
    }
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(GRPC));
    head.headers.insert(GRPC_STATUS, HeaderValue::from_static(status(head.status)));
    head.headers.insert(GRPC_MESSAGE, message);
    head.status = StatusCode::OK;
    Response::from_parts(head, Body::Empty)
}

/// As gRPC maps statuses of HTTP (http-grpc-status-mapping.md).
fn status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "13",                   // INTERNAL
        401 => "16",                   // UNAUTHENTICATED
        403 => "7",                    // PERMISSION_DENIED
        404 => "12",                   // UNIMPLEMENTED
        429 | 502 | 503 | 504 => "14", // UNAVAILABLE
        _ => "2",                      // UNKNOWN
    }
}

/// What a problem document says in detail, else what the status is called.
fn message(status: StatusCode, headers: &HeaderMap, body: &Body) -> HeaderValue {
    let is_problem = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    let document = match body {
        Body::Full(content) if is_problem => serde_json::from_slice::<Value>(content).ok(),
        _ => None,
    };
    let detail = document.as_ref().and_then(|document| document["detail"].as_str());
    encode(detail.or(status.canonical_reason()).unwrap_or("error"))
}

/// Printable ASCII stays, all else is percent-encoded.
fn encode(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => drop(write!(encoded, "%{byte:02X}")),
            _ => encoded.push(char::from(byte)),
        }
    }
    HeaderValue::from_str(&encoded).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Reply;

    #[test]
    fn calls_have_a_content_type_of_their_own() {
        let is_call = |method: &str, kind: &str| {
            let request = http::Request::builder().method(method).header("content-type", kind);
            super::is_call(&request.body(()).unwrap().into_parts().0)
        };
        assert!(is_call("POST", "application/grpc"));
        assert!(is_call("POST", "application/grpc+proto"));
        assert!(is_call("POST", "application/grpc; charset=utf-8"));
        assert!(!is_call("POST", "application/grpc-web"));
        assert!(!is_call("POST", "application/json"));
        assert!(!is_call("GET", "application/grpc"));
    }

    #[test]
    fn an_answer_of_the_gateway_becomes_a_status_in_trailers() {
        let (head, body) = Reply::problem(StatusCode::SERVICE_UNAVAILABLE, "50 % of it: caf\u{e9}").into_parts();
        let answer = translate(Response::from_parts(head, body));
        assert_eq!(
            (answer.status(), &answer.headers()["content-type"]),
            (StatusCode::OK, &"application/grpc".parse().unwrap())
        );
        assert_eq!(
            (&answer.headers()["grpc-status"], &answer.headers()["grpc-message"]),
            (&"14".parse().unwrap(), &"50 %25 of it: caf%C3%A9".parse().unwrap())
        );
        assert!(matches!(answer.body(), Body::Empty));
    }

    #[test]
    fn an_answer_of_an_upstream_stays_as_it_is() {
        let mut response = Response::new(Body::full("x"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        assert_eq!(translate(response).status(), StatusCode::NOT_FOUND);
    }
}
