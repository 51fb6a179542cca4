//! One call: a request to an upstream, and the head of its response.

use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode, header, request, response};
use hyper::body::Incoming;

use super::client::{Connection, Custody, Http2Stream, Pool};
use super::http1::Failure;
use super::local::{Lease, Local, LocalSet};
use super::pick::{Tried, Wish, set_cookie};
use super::{Endpoint, UpstreamError};
use crate::config::CallOptions;
use crate::message::{Body, ClientInfo};

/// How many endpoints are passed over that cannot be connected to, where nothing is said about retries.
const MOST_PASSED_OVER: usize = 8;

/// For whom a request is sent, and how.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// What the route says.
    pub options: &'a CallOptions,
    /// The client.
    pub client: &'a ClientInfo,
}

/// Among whom a request's endpoint is chosen.
pub(super) struct Choice {
    pub(super) set: Rc<LocalSet>,
    wish: Wish,
    pub(super) tried: Tried,
}

/// A response whose content is not taken care of yet.
pub(super) struct Answered {
    reply: Reply,
    lease: Lease,
}

/// A response's head, and what the rest of it will come on.
pub(super) enum Reply {
    Http1(response::Parts, Box<Connection>),
    Http2(Response<Incoming>, Http2Stream),
}

impl Answered {
    pub(super) fn status(&self) -> StatusCode {
        match &self.reply {
            Reply::Http1(head, _) => head.status,
            Reply::Http2(response, _) => response.status(),
        }
    }
}

/// Why there is no response and, if nothing was sent, the request's body.
pub(super) struct Failed {
    pub(super) error: UpstreamError,
    pub(super) unsent: Option<Body>,
}

/// How often an endpoint is sent a request that it does not process: it may be closing connection after connection.
const MAX_ATTEMPTS: usize = 3;

impl Pool {
    /// Sends the request to an endpoint and waits for the head of the response. Endpoints that cannot be connected to
    /// are passed over. Unless the route says more about retries, a request goes out again only if a connection from the
    /// pool turns out to be closed, which an upstream may do at any time, and the request was not taken in or may be taken
    /// in twice (RFC 9110, section 9.2.2).
    ///
    /// # Errors
    /// If no endpoint can be connected to, or the one that was sent the request gives no valid response in time.
    pub async fn call(
        self: &Rc<Self>,
        head: &request::Parts,
        body: Body,
        caller: Caller<'_>,
    ) -> Result<Response<Body>, UpstreamError> {
        self.upstream.metrics.requested();
        let result = self.send(head, body, caller).await;
        if let Err(error) = &result {
            self.note_failure(error);
        }
        result
    }

    fn note_failure(&self, error: &UpstreamError) {
        let metrics = &self.upstream.metrics;
        if let UpstreamError::Full { bound } = error {
            metrics.rejected(bound);
        }
        if let Some(held_back) = metrics.failed() {
            let (upstream, source) = (self.upstream.name(), error.source().map(ToString::to_string));
            tracing::warn!(upstream, %error, source, held_back, "upstream failure");
        }
    }

    async fn send(
        self: &Rc<Self>,
        head: &request::Parts,
        body: Body,
        caller: Caller<'_>,
    ) -> Result<Response<Body>, UpstreamError> {
        let counted = self.upstream.limits.request()?;
        let set = self.endpoints();
        let wish = Wish::of(&self.upstream.settings.options, &set, &head.headers, caller.client);
        let mut choice = Choice { set, wish, tried: Tried::new() };
        let (index, answered) = match &caller.options.retry {
            None => self.once(&mut choice, head, body, caller).await?,
            // Boxed, as everything that few requests need: the way of all others is not to carry it along.
            Some(retry) => Box::pin(self.again(&mut choice, head, body, caller, retry)).await?,
        };
        let custody = Custody { lease: answered.lease, _counted: counted };
        let idle = caller.options.idle.unwrap_or(self.upstream.settings.body_idle);
        let (mut head, body) = self.response(custody, answered.reply, idle);
        self.stick(&choice, index, caller.client, &mut head.headers);
        Ok(Response::from_parts(head, body))
    }

    /// Makes the client come back to the endpoint, if it is to and does not know yet.
    fn stick(&self, choice: &Choice, index: usize, client: &ClientInfo, fields: &mut HeaderMap) {
        if let Some(sticky) = &self.upstream.settings.options.sticky
            && choice.wish.sticky != Some(index)
            && let Some(cookie) = set_cookie(sticky, &choice.set.shared.sticky[index], client.scheme)
        {
            fields.append(header::SET_COOKIE, cookie);
        }
    }

    /// Sends the request to the first endpoint that can be connected to.
    async fn once(
        &self,
        choice: &mut Choice,
        head: &request::Parts,
        mut body: Body,
        caller: Caller<'_>,
    ) -> Result<(usize, Answered), UpstreamError> {
        let mut failure = UpstreamError::NoEndpoint;
        while choice.tried.len() < MOST_PASSED_OVER {
            let Some(index) = self.pick(choice) else { break };
            match self.try_endpoint(&choice.set.usable[index].0, head, body, caller, None).await {
                Ok(answered) => return Ok((index, answered)),
                Err(Failed { error: error @ UpstreamError::Connect { .. }, unsent: Some(unsent) }) => {
                    choice.tried.push(index);
                    (body, failure) = (unsent, error);
                }
                Err(failed) => return Err(failed.error),
            }
        }
        Err(failure)
    }

    /// An endpoint that has not been tried.
    pub(super) fn pick(&self, choice: &Choice) -> Option<usize> {
        self.picker.pick(&self.upstream.settings.options.balance, &choice.set, &choice.wish, &choice.tried)
    }

    /// Sends the request to one endpoint, and remembers what it did with it.
    pub(super) async fn try_endpoint(
        &self,
        local: &Rc<Local>,
        head: &request::Parts,
        body: Body,
        caller: Caller<'_>,
        within: Option<Duration>,
    ) -> Result<Answered, Failed> {
        let result = match within {
            None => self.send_to(local, head, body, caller).await,
            Some(bound) => {
                let sent = Box::pin(self.send_to(local, head, body, caller));
                let late = |_| {
                    let error = UpstreamError::Timeout { endpoint: local.endpoint.to_string(), after: bound };
                    Failed { error, unsent: None }
                };
                tokio::time::timeout(bound, sent).await.map_err(late).flatten()
            }
        };
        self.note(&local.endpoint, &result);
        result
    }

    fn note(&self, endpoint: &Endpoint, result: &Result<Answered, Failed>) {
        let failed = match result {
            Ok(answered) => answered.status().is_server_error(),
            Err(failed) => failed.error.is_endpoints(),
        };
        endpoint.metrics.requested(failed);
        match (&self.upstream.settings.options.outlier, failed) {
            (None, _) => {}
            (Some(_), false) => endpoint.succeeded(),
            (Some(rules), true) if endpoint.failed() >= rules.failures => {
                self.upstream.endpoints.suspicion.notify_one()
            }
            (Some(_), true) => {}
        }
    }

    async fn send_to(
        &self,
        local: &Rc<Local>,
        head: &request::Parts,
        mut body: Body,
        caller: Caller<'_>,
    ) -> Result<Answered, Failed> {
        let lease = Lease::new(local);
        let settings = &self.upstream.settings;
        let connect_within = caller.options.connect.unwrap_or(settings.connect_timeout);
        let first_byte = caller.options.first_byte.unwrap_or(settings.first_byte_timeout);
        if settings.http2.is_some() {
            return Box::pin(self.send_on_stream(lease, head, body, connect_within, first_byte)).await;
        }
        let mut connection = self.connection(local, connect_within).await;
        loop {
            let mut connected = match connection {
                Ok(connected) => connected,
                Err(error) => return Err(Failed { error, unsent: Some(body) }),
            };
            connected.wire.set_patience(first_byte);
            let failure = match connected.wire.call(head, body).await {
                Ok(head) => return Ok(Answered { reply: Reply::Http1(head, connected), lease }),
                Err(failure) => failure,
            };
            match connected.wire.take_unsent(&head.method, &failure) {
                Some(unsent) => body = unsent,
                None => return Err(Failed { error: error(&local.endpoint, failure, first_byte), unsent: None }),
            }
            drop(connected);
            connection = Box::pin(self.new_connection(local, connect_within)).await;
        }
    }

    /// As `send_to`, on a connection that carries other requests as well. What the endpoint has not processed goes out again.
    async fn send_on_stream(
        &self,
        lease: Lease,
        head: &request::Parts,
        mut body: Body,
        connect_within: Duration,
        first_byte: Duration,
    ) -> Result<Answered, Failed> {
        let (local, settings) = (lease.local(), &self.upstream.settings);
        for attempt in 1.. {
            let stream = match self.stream(local, connect_within).await {
                Ok(stream) => stream,
                Err(error) => return Err(Failed { error, unsent: Some(body) }),
            };
            let answer = stream.call(head, body, &local.endpoint, settings, first_byte).await;
            match answer {
                Ok(response) => return Ok(Answered { reply: Reply::Http2(response, stream), lease }),
                Err((_, Some(unprocessed))) if attempt < MAX_ATTEMPTS => body = unprocessed,
                Err((error, unsent)) => return Err(Failed { error, unsent }),
            }
        }
        Err(Failed { error: UpstreamError::NoEndpoint, unsent: None })
    }

    /// Lets go of a response that is not wanted. Its connection stays if that has no content to come.
    pub(super) fn discard(self: &Rc<Self>, answered: Answered) {
        let custody = Custody { lease: answered.lease, _counted: None };
        drop(self.response(custody, answered.reply, Duration::ZERO));
    }
}

fn error(to: &Endpoint, failure: Failure, first_byte: Duration) -> UpstreamError {
    match failure {
        Failure::Timeout => UpstreamError::Timeout { endpoint: to.to_string(), after: first_byte },
        Failure::Request(error) => UpstreamError::Request(error),
        failure => UpstreamError::protocol(to, failure),
    }
}
