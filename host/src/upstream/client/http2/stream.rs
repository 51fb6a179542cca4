//! One request on a connection with others.

use std::error::Error;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header, request, response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, timeout};

use super::super::Custody;
use super::connection::Connection;
use super::head::to_http2;
use super::replay::Replay;
use crate::message::{Body, BodyError, IdleTimeout, Upgraded, websocket};
use crate::upstream::{Endpoint, Settings, UpstreamError};

/// A place on a connection; given back when dropped.
pub(in crate::upstream) struct Stream(Rc<Connection>);

/// The head of a response, or an error and, if the peer has not processed the request, its body.
type Attempt = Result<Response<Incoming>, (UpstreamError, Option<Body>)>;

impl Stream {
    pub(super) fn new(connection: Rc<Connection>) -> Self {
        connection.stream_begins();
        Self(connection)
    }

    /// Sends a request and waits for the head of the response, within the time-out from the request's latest progress.
    pub(in crate::upstream) async fn call(
        &self,
        head: &request::Parts,
        body: Body,
        endpoint: &Endpoint,
        settings: &Settings,
        first_byte: Duration,
    ) -> Attempt {
        if head.headers.contains_key(header::UPGRADE) {
            return Box::pin(self.tunnel(head, endpoint, settings, first_byte)).await;
        }
        self.exchange(head, body, endpoint, settings, first_byte).await
    }

    /// As `call`, of a request for a tunnel. Its answer is as HTTP/1.1 has it: 101, with what shows that it is from one who speaks
    /// the protocol. Otherwise whoever announces extended CONNECT shows that.
    async fn tunnel(
        &self,
        head: &request::Parts,
        endpoint: &Endpoint,
        settings: &Settings,
        first_byte: Duration,
    ) -> Attempt {
        let to = || endpoint.to_string();
        let late = |_| (UpstreamError::Timeout { endpoint: to(), after: first_byte }, None);
        if !timeout(first_byte, self.0.takes_tunnels()).await.map_err(late)? {
            return Err((UpstreamError::NoTunnels { endpoint: to() }, None));
        }
        let mut response = self.exchange(head, Body::Empty, endpoint, settings, first_byte).await?;
        if response.extensions().get::<OnUpgrade>().is_some() {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let fields = response.headers_mut();
            let protocol = head.headers.get(header::UPGRADE).cloned();
            fields.insert(header::UPGRADE, protocol.unwrap_or(HeaderValue::from_static("websocket")));
            if let Some(key) = head.headers.get(header::SEC_WEBSOCKET_KEY) {
                fields.insert(header::SEC_WEBSOCKET_ACCEPT, websocket::accept(key));
            }
        }
        Ok(response)
    }

    async fn exchange(
        &self,
        head: &request::Parts,
        body: Body,
        endpoint: &Endpoint,
        settings: &Settings,
        first_byte: Duration,
    ) -> Attempt {
        let head = to_http2(head, endpoint, settings.tls.is_some()).map_err(|error| (error, None))?;
        let (replay, since) = (Replay::of(body), Instant::now());
        let mut sender = self.0.sender();
        let answer = tokio::select! {
            biased;
            answer = sender.try_send_request(Request::from_parts(head, replay.body())) => answer,
            () = replay.stalled(first_byte) => {
                self.0.suspect(since);
                return Err((UpstreamError::Timeout { endpoint: endpoint.to_string(), after: first_byte }, None));
            }
        };
        match answer {
            Ok(response) => {
                replay.stop();
                self.0.answered();
                Ok(response)
            }
            Err(mut error) => {
                let again = if is_unprocessed(&mut error) { replay.again() } else { None };
                let error = match replay.failure() {
                    Some(failure) => UpstreamError::Request(failure),
                    None => UpstreamError::protocol(endpoint, error.into_error()),
                };
                Err((error, again))
            }
        }
    }

    /// The response, whose content keeps the stream to its end.
    pub(in crate::upstream) fn response(
        self,
        response: Response<Incoming>,
        custody: Custody,
        idle: Duration,
    ) -> (response::Parts, Body) {
        let (mut head, body) = response.into_parts();
        if let Some(tunnel) = head.extensions.remove::<OnUpgrade>().and_then(at_once) {
            let upgraded = Upgraded::new(tunnel, Bytes::new()).with((self, custody));
            return (head, Body::Upgraded(Box::new(upgraded)));
        }
        if body.is_end_stream() {
            return (head, Body::Empty);
        }
        let inner = IdleTimeout::new(body, idle);
        (head, Body::boxed(StreamBody { inner, held: Some((self, custody)) }))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.stream_ends();
    }
}

/// The tunnel that a stream has become: it is there once its response is.
fn at_once(tunnel: OnUpgrade) -> Option<hyper::upgrade::Upgraded> {
    match Pin::new(&mut { tunnel }).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(upgraded)) => Some(upgraded),
        _ => None,
    }
}

/// Whether the peer has said that it did not process the request, or nobody was there to take it: then it may be sent
/// again, whatever its method (RFC 9113, section 8.7).
fn is_unprocessed(error: &mut TrySendError<Request<Body>>) -> bool {
    if error.take_message().is_some() {
        return true;
    }
    let Some(error) = error.error().source().and_then(|source| source.downcast_ref::<h2::Error>()) else {
        return false;
    };
    // A stream fails with the peer's GOAWAY only if its number is beyond the last one that the peer took.
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (error.is_go_away() || refused)
}

/// The content of a response. Dropped before its end, its stream is reset, and the connection stays.
struct StreamBody {
    inner: IdleTimeout<Incoming>,
    held: Option<(Stream, Custody)>,
}

impl HttpBody for StreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(None | Some(Err(_))) = &frame {
            self.held = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
