//! What an exchange has to do with traces (W3C trace context): it belongs to the one that its client names, or to one of its
//! own, and its upstream is told.

use std::rc::Rc;

use http::{HeaderName, HeaderValue, Response, request};

use crate::message::Body;
use crate::telemetry::{Attribute, OpenSpan, SpanKind, Trace, Tracing};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Begins a trace, or goes on with the client's. What filters see is what the upstream would get.
pub(super) fn begin(tracing: &Tracing, head: &mut request::Parts) -> Rc<Trace> {
    let mut parents = head.headers.get_all(TRACEPARENT).iter();
    let parent = match (parents.next(), parents.next()) {
        (Some(one), None) => Some(one.as_bytes()),
        _ => None,
    };
    let trace = tracing.begin(parent);
    if trace.is_own() {
        // It says something about a trace that is not this one (section 3.3).
        head.headers.remove(TRACESTATE);
    }
    set(head, trace.context.to_string());
    trace
}

/// The upstream is about to be called.
pub(super) fn call(trace: &Rc<Trace>, upstream: &str, head: &mut request::Parts) -> OpenSpan {
    let mut span = trace.span(SpanKind::Client, || format!("{} {upstream}", head.method));
    span.say("tollgate.upstream", || Attribute::Text(upstream.to_owned()));
    span.say("http.request.method", || Attribute::Text(head.method.to_string()));
    set(head, span.context().to_string());
    span
}

/// It has answered, or has not.
pub(super) fn called(mut span: OpenSpan, response: Option<&Response<Body>>) {
    let Some(response) = response else { return span.end(true) };
    span.say("http.response.status_code", || Attribute::Number(response.status().as_u16().into()));
    span.end(response.status().is_server_error());
}

fn set(head: &mut request::Parts, context: String) {
    if let Ok(value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(context)) {
        head.headers.insert(TRACEPARENT, value);
    }
}
