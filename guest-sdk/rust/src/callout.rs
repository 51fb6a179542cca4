//! Requests of the filter's own, to upstreams that its policy was granted (`grants.callouts`). Nothing else can be reached.
//!
//! A call looks as if it blocked: the hook stands still until the response is there, and the gateway serves others
//! meanwhile. The time spent waiting is not CPU time. Not possible in [`check`](crate::Filter::check) and
//! [`on_end`](crate::Filter::on_end).
//!
//! ```no_run
//! use tollgate_filter::callout;
//!
//! # fn ask() -> Result<(), callout::Error> {
//! let verdict = callout::Request::get("auth", "/check").field("x-user", "amy").send()?;
//! let allowed = verdict.status() == 200;
//!
//! let answers = callout::all([callout::Request::get("users", "/amy"), callout::Request::get("plans", "/amy")]);
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::time::Duration;

use crate::bindings::tollgate::filter::callout as raw;
pub use crate::bindings::tollgate::filter::callout::Error;
use crate::edits::field;
use crate::host;

/// How many requests [`all`] can send.
pub const MAX_AT_ONCE: usize = 16;

/// A request to an upstream.
#[derive(Clone, Debug)]
#[must_use = "it is only sent by `send` or `all`"]
pub struct Request(raw::Request);

impl Request {
    /// Of any method. The path begins with `/` and may have a query.
    pub fn new(method: &str, upstream: &str, path: &str) -> Self {
        Self(raw::Request {
            upstream: upstream.into(),
            method: method.into(),
            path: path.into(),
            authority: None,
            fields: Vec::new(),
            body: Vec::new(),
            timeout_ms: None,
            body_limit: None,
        })
    }

    /// Asks for something.
    pub fn get(upstream: &str, path: &str) -> Self {
        Self::new("GET", upstream, path)
    }

    /// Sends something.
    pub fn post(upstream: &str, path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", upstream, path).body(body)
    }

    /// The host that it is for, where that is not what the upstream's first endpoint is called.
    pub fn authority(mut self, authority: &str) -> Self {
        self.0.authority = Some(authority.into());
        self
    }

    /// Appends a header field. The gateway adds those that frame the request.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.0.fields.push(field(name, value.as_ref()));
        self
    }

    /// Sets the content.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.0.body = body.into();
        self
    }

    /// Until when the whole response must be there. The policy's `limits.callout-timeout` holds all the same.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout_ms = Some(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// How many bytes of content the response may have: 64 KiB if this is not said. The policy's `limits.callout-body`
    /// holds all the same.
    pub fn body_limit(mut self, bytes: u32) -> Self {
        self.0.body_limit = Some(bytes);
        self
    }

    /// Sends it and waits for the response.
    ///
    /// # Errors
    ///
    /// If there is no whole response. Any status is a response.
    pub fn send(self) -> Result<Response, Error> {
        all([self]).pop().unwrap_or(Err(Error::Broken))
    }
}

/// Sends all requests at once, and waits for all of them: the answers come in the order of the requests. At most
/// [`MAX_AT_ONCE`]; of more, none is sent.
pub fn all(requests: impl IntoIterator<Item = Request>) -> Vec<Result<Response, Error>> {
    let requests: Vec<_> = requests.into_iter().map(|request| request.0).collect();
    host::send_all(&requests).into_iter().map(|answer| answer.map(Response)).collect()
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotGranted => "the policy was not granted this upstream",
            Self::Invalid(what) => what,
            Self::TooMany => "too many callouts",
            Self::Unavailable => "the upstream cannot take the callout now",
            Self::Connect => "the upstream cannot be connected to",
            Self::Timeout => "the upstream did not answer in time",
            Self::Broken => "the upstream gave no valid response",
            Self::TooLarge => "the callout has too much content",
        })
    }
}

impl std::error::Error for Error {}

/// The response of an upstream.
#[derive(Clone, Debug)]
pub struct Response(raw::Response);

impl Response {
    /// A response, for tests.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self(raw::Response { status, fields: Vec::new(), body: Vec::new() })
    }

    /// With one more field, for tests.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.0.fields.push(field(name, value.as_ref()));
        self
    }

    /// With this content, for tests.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.0.body = body.into();
        self
    }

    /// The status, 200 to 599.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The value of the first field of that name, in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.fields.iter().map(|field| (&*field.name, &*field.value))
    }

    /// The content.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// The content, to be kept.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.0.body
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn into_raw(self) -> raw::Response {
        self.0
    }
}
