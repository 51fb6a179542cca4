//! The hooks that a filter can have.

use crate::bindings::tollgate::filter::types;

/// A hook of [`Filter`](crate::Filter): a moment at which the gateway calls the filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hook {
    /// [`on_request`](crate::Filter::on_request)
    Request,
    /// [`on_request_body`](crate::Filter::on_request_body)
    RequestBody,
    /// [`on_request_trailers`](crate::Filter::on_request_trailers)
    RequestTrailers,
    /// [`on_response`](crate::Filter::on_response)
    Response,
    /// [`on_response_body`](crate::Filter::on_response_body)
    ResponseBody,
    /// [`on_response_trailers`](crate::Filter::on_response_trailers)
    ResponseTrailers,
    /// [`on_end`](crate::Filter::on_end)
    End,
    /// [`on_tick`](crate::Filter::on_tick)
    Tick,
}

impl Hook {
    /// As a manifest names it: the method's name, as `wit/` writes names.
    #[doc(hidden)]
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "on-request",
            Self::RequestBody => "on-request-body",
            Self::RequestTrailers => "on-request-trailers",
            Self::Response => "on-response",
            Self::ResponseBody => "on-response-body",
            Self::ResponseTrailers => "on-response-trailers",
            Self::End => "on-end",
            Self::Tick => "on-tick",
        }
    }

    pub(crate) fn flag(self) -> types::Hooks {
        match self {
            Self::Request => types::Hooks::REQUEST_HEAD,
            Self::RequestBody => types::Hooks::REQUEST_BODY,
            Self::RequestTrailers => types::Hooks::REQUEST_TRAILERS,
            Self::Response => types::Hooks::RESPONSE_HEAD,
            Self::ResponseBody => types::Hooks::RESPONSE_BODY,
            Self::ResponseTrailers => types::Hooks::RESPONSE_TRAILERS,
            Self::End => types::Hooks::EXCHANGE_END,
            // It belongs to no exchange; how often it comes is said elsewhere.
            Self::Tick => types::Hooks::empty(),
        }
    }
}
