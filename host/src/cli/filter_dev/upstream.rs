//! An upstream for who has none at hand: it answers with what it was asked, so that what filters do to requests can be seen.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};

/// The most of a request's content that is shown.
const MAX_BODY: usize = 1 << 20;

/// Starts it on a port that is free. It lives as long as the process.
pub(super) fn start() -> std::io::Result<SocketAddr> {
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    let serve = |socket: std::net::TcpListener| async {
        let Ok(listener) = TcpListener::from_std(socket) else { return };
        while let Ok((stream, _)) = listener.accept().await {
            // A connection that breaks concerns nobody but its client.
            tokio::task::spawn_local(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    };
    std::thread::Builder::new().name("upstream".into()).spawn(move || {
        if let Ok(runtime) = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            runtime.block_on(serve(socket));
        }
    })?;
    Ok(address)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut fields = Map::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let joined = match fields.get(name.as_str()).and_then(Value::as_str) {
            Some(earlier) => format!("{earlier}, {value}"),
            None => value.into_owned(),
        };
        fields.insert(name.to_string(), joined.into());
    }
    let body = String::from_utf8_lossy(&body);
    let echo = json!({ "method": head.method.as_str(), "path": head.uri.to_string(), "fields": fields, "body": body });
    let mut response = Response::new(Full::new(Bytes::from(format!("{echo:#}\n"))));
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(response)
}
