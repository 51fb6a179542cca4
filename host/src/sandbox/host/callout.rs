//! Requests to upstreams.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header, uri};
use wasmtime::{Result, bail};

use crate::message::Edit;
use crate::sandbox::bindings::tollgate::filter::callout;
use crate::sandbox::callout::{Callout, CalloutError, CalloutResponse, MAX_AT_ONCE};
use crate::sandbox::instance::HostState;

/// The largest response where the filter does not say otherwise.
const BODY_LIMIT: u64 = 64 << 10;

/// More header fields than that have no place in a request.
const MAX_FIELDS: usize = 256;

const TRACEPARENT: &str = "traceparent";

impl HostState {
    /// Sends all requests and waits for their responses.
    pub(in crate::sandbox) async fn call_out(
        &mut self,
        requests: Vec<callout::Request>,
    ) -> Result<Vec<Result<CalloutResponse, CalloutError>>> {
        if self.desk.is_none() {
            bail!("a callout may not be made in `configure` or `on-exchange-end`");
        }
        // Refused by their number, so that no length of a list costs anything.
        if requests.len() > MAX_AT_ONCE {
            return Ok(requests.iter().map(|_| Err(CalloutError::TooMany)).collect());
        }
        let callouts = requests.into_iter().map(|request| self.check(request)).collect();
        self.wait_for(move |around| around.call_out(callouts)).await
    }

    fn check(&self, request: callout::Request) -> Result<Callout, CalloutError> {
        let grants = Arc::clone(&self.callouts);
        let upstream = grants.upstreams.iter().find(|name| ***name == *request.upstream);
        let upstream = Arc::clone(upstream.ok_or(CalloutError::NotGranted)?);
        if request.body.len() as u64 > grants.body {
            return Err(CalloutError::TooLarge);
        }
        let timeout = request.timeout_ms.map_or(grants.timeout, |ms| Duration::from_millis(ms.into()));
        let body_limit = request.body_limit.map_or(BODY_LIMIT, u64::from).min(grants.body);
        let request = self.build(request)?;
        Ok(Callout { upstream, request, timeout: timeout.min(grants.timeout), body_limit })
    }

    fn build(&self, request: callout::Request) -> Result<Request<Bytes>, CalloutError> {
        let mut built = Request::new(Bytes::from(request.body));
        *built.method_mut() = method(&request.method)?;
        *built.uri_mut() = path(request.path)?;
        let fields = built.headers_mut();
        if request.fields.len() > MAX_FIELDS {
            return Err(CalloutError::Invalid(format!("more than {MAX_FIELDS} fields")));
        }
        for field in request.fields {
            let change = Edit::Add(&field.name, &field.value).check_bare();
            change.and_then(|change| change.make_bare(fields)).map_err(|error| invalid(&error))?;
        }
        if let Some(authority) = request.authority {
            fields.insert(header::HOST, host(authority)?);
        }
        self.trace(fields);
        Ok(built)
    }

    /// Continues the exchange's trace (W3C Trace Context).
    fn trace(&self, fields: &mut HeaderMap) {
        let Some(exchange) = self.running.as_ref().map(|running| &running.exchange) else { return };
        // The request's fields may have gone to the upstream already.
        let own = exchange.trace.and_then(|trace| HeaderValue::from_str(&trace.to_string()).ok());
        if let Some(parent) = own.or_else(|| exchange.request.headers.get(TRACEPARENT).cloned())
            && !fields.contains_key(TRACEPARENT)
        {
            fields.insert(TRACEPARENT, parent);
        }
    }
}

fn method(method: &str) -> Result<Method, CalloutError> {
    let method = Method::from_bytes(method.as_bytes()).ok().filter(|method| *method != Method::CONNECT);
    method.ok_or_else(|| CalloutError::Invalid("the method is none that can be sent".into()))
}

fn path(path: String) -> Result<Uri, CalloutError> {
    let wrong = || CalloutError::Invalid("the path is not valid, or does not begin with \"/\"".into());
    let path = Some(path).filter(|path| path.starts_with('/')).ok_or_else(wrong)?;
    // The parser would drop it without a word.
    if path.contains('#') {
        return Err(CalloutError::Invalid("the path has a fragment, which is never sent; write %23 for `#`".into()));
    }
    let path = uri::PathAndQuery::from_maybe_shared(Bytes::from(path)).map_err(|_| wrong())?;
    Ok(path.into())
}

fn host(authority: String) -> Result<HeaderValue, CalloutError> {
    let wrong = || CalloutError::Invalid("the authority is not a host with or without a port".into());
    let authority = uri::Authority::from_maybe_shared(Bytes::from(authority)).map_err(|_| wrong())?;
    if authority.as_str().contains('@') {
        return Err(wrong());
    }
    HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())
}

fn invalid(error: &dyn std::error::Error) -> CalloutError {
    CalloutError::Invalid(error.to_string())
}
