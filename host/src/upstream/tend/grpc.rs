//! gRPC's health protocol (`grpc.health.v1.Health/Check`), over HTTP/2. The two messages have a field each, so
//! they are written and read by hand.

use std::future::Future;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Method, Request, StatusCode, Version, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;

use super::check::describe;
use crate::upstream::client::Opener;
use crate::upstream::{Endpoint, Upstream};

/// An answer is a handful of bytes.
const MAX_ANSWER: usize = 1_024;

/// `SERVING` of `HealthCheckResponse.ServingStatus`.
const SERVING: u64 = 1;

/// Whether the service says that it serves.
pub(super) async fn check(upstream: &Upstream, endpoint: &Endpoint, service: &str) -> Result<(), String> {
    let within = upstream.settings.connect_timeout;
    let stream = Opener::new(&upstream.settings).open(&upstream.settings, endpoint, within).await;
    let stream = stream.map_err(|error| describe(&error))?;
    let handshake = http2::Builder::new(Local)
        .max_header_list_size(u32::try_from(upstream.settings.head.bytes).unwrap_or(u32::MAX))
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(|error| describe(&error))?;
    // Ends once the sender is dropped.
    tokio::task::spawn_local(connection);
    let request = request(&endpoint.authority(), service).map_err(|error| describe(&error))?;
    let response = sender.send_request(request).await.map_err(|error| describe(&error))?;
    if response.status() != StatusCode::OK {
        return Err(format!("status {}", response.status().as_u16()));
    }
    let (head, body) = response.into_parts();
    let content = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| error.to_string())?;
    let trailers = content.trailers().cloned().unwrap_or_default();
    is_ok(&head.headers, &trailers)?;
    match serving_status(&content.to_bytes()) {
        Some(SERVING) => Ok(()),
        Some(status) => Err(format!("serving status {status}")),
        None => Err("no answer of gRPC's health protocol".to_owned()),
    }
}

/// hyper's tasks stay on this thread.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

fn request(authority: &str, service: &str) -> Result<Request<Full<Bytes>>, http::Error> {
    Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(format!("http://{authority}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, "tollgate-health")
        .body(Full::new(message(service)))
}

/// A `HealthCheckRequest` with its prefix: not compressed, its length, `service` as field 1.
fn message(service: &str) -> Bytes {
    let mut content = BytesMut::new();
    if !service.is_empty() {
        content.put_u8(1 << 3 | 2);
        put_varint(&mut content, service.len() as u64);
        content.put_slice(service.as_bytes());
    }
    let mut message = BytesMut::with_capacity(content.len() + 5);
    message.put_u8(0);
    message.put_u32(u32::try_from(content.len()).unwrap_or(u32::MAX));
    message.put_slice(&content);
    message.freeze()
}

fn put_varint(content: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        content.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    content.put_u8(value as u8);
}

/// `grpc-status` is in the trailers, or in the head of an answer without content.
fn is_ok(head: &HeaderMap, trailers: &HeaderMap) -> Result<(), String> {
    let status = trailers.get("grpc-status").or_else(|| head.get("grpc-status"));
    match status.and_then(|status| status.to_str().ok()) {
        Some("0") => Ok(()),
        Some(status) => Err(format!("grpc-status {status}")),
        None => Err("no grpc-status".to_owned()),
    }
}

/// Field 1 of a `HealthCheckResponse`; 0 if it is left out, as zeros are.
#[must_use]
pub fn serving_status(message: &[u8]) -> Option<u64> {
    let (prefix, mut content) = message.split_at_checked(5)?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    if prefix[0] != 0 || length != content.len() {
        return None;
    }
    let mut status = 0;
    while !content.is_empty() {
        let tag = take_varint(&mut content)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = take_varint(&mut content)?,
            (_, 0) => drop(take_varint(&mut content)?),
            (_, 2) => {
                let length = usize::try_from(take_varint(&mut content)?).ok()?;
                content = content.get(length..)?;
            }
            _ => return None,
        }
    }
    Some(status)
}

fn take_varint(content: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = content.split_first()?;
        *content = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_names_the_service() {
        assert_eq!(&*message(""), [0, 0, 0, 0, 0]);
        assert_eq!(&*message("ab"), [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = message(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]);
    }

    #[test]
    fn the_answer_is_read_with_whatever_else_is_in_it() {
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 8, 1]), Some(1));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0));
        assert_eq!(serving_status(&[0, 0, 0, 0, 8, 0x12, 2, 9, 9, 0x18, 5, 8, 2]), Some(2));
        for wrong in [
            &[0, 0, 0, 0][..],
            &[1, 0, 0, 0, 0],
            &[0, 0, 0, 0, 9, 8, 1],
            &[0, 0, 0, 0, 2, 0x12, 9],
            &[0, 0, 0, 0, 1, 8],
        ] {
            assert_eq!(serving_status(wrong), None, "{wrong:?}");
        }
    }
}
