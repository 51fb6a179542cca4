//! What goes wrong on the way of an exchange, and what the client is told. Nothing about the inside.

use http::{HeaderValue, StatusCode, header};

use crate::chain::{Aborted, Denied};
use crate::framing::{Violation, violation_in};
use crate::message::{BodyError, Reply};
use crate::route::{PathError, RewriteError};
use crate::telemetry::Refusal;
use crate::upstream::UpstreamError;

/// Seconds until a client may ask an upstream again that was full or had nobody to serve.
const RETRY_AFTER: u32 = 1;

/// Why an exchange did not get an upstream's response.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// The request cannot be understood in one way only.
    #[error("bad request: {0}")]
    BadRequest(&'static str),
    /// More header fields than there may be. HTTP/1 is told so before it comes here.
    #[error("too many header fields")]
    HeadTooLarge,
    /// The gateway has as much to do as it may have.
    #[error("overloaded: {}", .0.label())]
    Overloaded(Refusal),
    /// Its bytes could be read in another way.
    #[error(transparent)]
    Invalid(Violation),
    /// The target has no normal form.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A method that is not for gateways.
    #[error("method not served")]
    Method,
    /// No route matches.
    #[error("no route")]
    NoRoute,
    /// The body is longer than the route allows.
    #[error("request too large")]
    TooLarge,
    /// The path cannot be rewritten.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// A filter faulted, and its policy denies then.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A filter cuts the exchange: there is no reply.
    #[error(transparent)]
    Aborted(#[from] Aborted),
    /// The upstream switched to a protocol that it was not asked for.
    #[error("the upstream switched to a protocol that was not offered")]
    Unasked,
    /// The route's bound on the whole exchange was met.
    #[error("the exchange took too long")]
    Late,
    /// The upstream gave no response.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

impl ExchangeError {
    /// The response.
    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::BadRequest(detail) => Reply::problem(StatusCode::BAD_REQUEST, detail),
            Self::HeadTooLarge => {
                Reply::problem(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request has too many header fields")
            }
            Self::Overloaded(_) => overloaded(),
            Self::Upstream(error) if error.lacks_descriptors() => overloaded(),
            Self::Path(error) => Reply::problem(StatusCode::BAD_REQUEST, &error.to_string()),
            Self::Invalid(violation) => invalid(*violation),
            Self::Method => Reply::problem(StatusCode::NOT_IMPLEMENTED, "this method is not served"),
            Self::NoRoute => Reply::problem(StatusCode::NOT_FOUND, "no route matches this request"),
            Self::TooLarge | Self::Upstream(UpstreamError::Request(BodyError::TooLarge(_))) => Reply::too_large(),
            Self::Rewrite(_) => Reply::problem(StatusCode::BAD_REQUEST, "this path cannot be served"),
            Self::Denied(denied) => denied.reply(),
            Self::Upstream(UpstreamError::Request(source)) => match violation_in(source) {
                Some(violation) => invalid(violation),
                None => Reply::problem(StatusCode::BAD_REQUEST, "the request body ended early"),
            },
            Self::Upstream(error) if error.is_unavailable() => {
                let reply =
                    Reply::problem(StatusCode::SERVICE_UNAVAILABLE, "the upstream cannot take this request now");
                reply.retry_after(RETRY_AFTER)
            }
            Self::Late => Reply::problem(StatusCode::GATEWAY_TIMEOUT, "the exchange took too long"),
            Self::Upstream(error) if error.is_timeout() => {
                Reply::problem(StatusCode::GATEWAY_TIMEOUT, "the upstream did not answer in time")
            }
            Self::Upstream(UpstreamError::NoTunnels { .. }) => {
                Reply::problem(StatusCode::BAD_GATEWAY, "the upstream does not take WebSockets over HTTP/2")
            }
            Self::Unasked | Self::Aborted(_) | Self::Upstream(_) => {
                Reply::problem(StatusCode::BAD_GATEWAY, "the upstream gave no valid response")
            }
        }
    }

    /// What is to be counted as refused, if it is that.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Overloaded(refusal) => Some(*refusal),
            Self::Upstream(error) if error.lacks_descriptors() => Some(Refusal::RequestDescriptors),
            _ => None,
        }
    }
}

/// It may be better in a moment: the bounds are on what is under way.
fn overloaded() -> Reply {
    let detail = "the gateway has too much to do; try again in a moment";
    Reply::problem(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_AFTER)
}

/// What follows on the connection cannot be understood any more, so it closes.
fn invalid(violation: Violation) -> Reply {
    Reply::problem(violation.status(), violation.detail()).with(header::CONNECTION, HeaderValue::from_static("close"))
}
