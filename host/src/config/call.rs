//! What a route says about how its requests are sent: how long they may take, and when they are sent again.

use std::time::Duration;

use http::{Method, StatusCode};

use super::{
    balance::{Share, Statuses},
    route::method,
    section::{Item, Section},
};

/// `timeouts` and `retry` of a route.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallOptions {
    /// `timeouts.connect`: over the upstream's `connect-timeout`.
    pub connect: Option<Duration>,
    /// `timeouts.first-byte`: over the upstream's `first-byte-timeout`.
    pub first_byte: Option<Duration>,
    /// `timeouts.idle`: how long a body may stand still, over `limits.body-idle`.
    pub idle: Option<Duration>,
    /// `timeouts.total`: from the request's head to the response's end.
    pub total: Option<Duration>,
    /// `retry`: when a request is sent again.
    pub retry: Option<Retry>,
}

/// When a request is sent again, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// `attempts`: with the first.
    pub attempts: u32,
    /// `on = ["connect"]`: no connection.
    pub on_connect: bool,
    /// `on = ["reset"]`: the connection broke before the response's head.
    pub on_reset: bool,
    /// `on = ["timeout"]`: no response in time.
    pub on_timeout: bool,
    /// `on = ["5xx", 429]`: these responses.
    pub on_status: Statuses,
    /// `methods`: requests with others are sent again only if nothing of them was sent.
    pub methods: Vec<Method>,
    /// `per-try-timeout`: from the choice of an endpoint to the response's head.
    pub per_try: Option<Duration>,
    /// `budget`: how many retries there may be for each request.
    pub budget: Share,
    /// `buffer`: how much of a body is kept to be sent again.
    pub buffer: usize,
}

impl Default for Retry {
    fn default() -> Self {
        // RFC 9110, section 9.2.2.
        let methods = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE];
        Self {
            attempts: 2,
            on_connect: true,
            on_reset: true,
            on_timeout: false,
            on_status: Statuses::default(),
            methods: methods.into(),
            per_try: None,
            budget: Share::per_mille(200),
            buffer: 64 << 10,
        }
    }
}

impl Retry {
    /// Whether a response is not good enough while there is another attempt.
    #[must_use]
    pub fn on_response(&self, status: StatusCode) -> bool {
        self.on_status.contains(status)
    }
}

/// Reads the keys and reports what is wrong with them.
pub(super) fn read(section: &mut Section<'_>) -> CallOptions {
    let mut options = section.take("timeouts").and_then(Item::section).map(read_timeouts).unwrap_or_default();
    options.retry = section.take("retry").and_then(Item::section).map(read_retry);
    options
}

fn read_timeouts(mut section: Section<'_>) -> CallOptions {
    let mut time = |key| section.take(key).and_then(duration);
    let options = CallOptions {
        connect: time("connect"),
        first_byte: time("first-byte"),
        idle: time("idle"),
        total: time("total"),
        retry: None,
    };
    section.finish();
    options
}

fn duration(item: Item<'_>) -> Option<Duration> {
    item.duration(Duration::from_millis(1), Duration::from_secs(24 * 60 * 60))
}

fn read_retry(mut section: Section<'_>) -> Retry {
    let mut retry = Retry::default();
    if let Some(attempts) = section.take("attempts").and_then(|item| item.count(2, 10)) {
        retry.attempts = u32::try_from(attempts).unwrap_or(retry.attempts);
    }
    if let Some(item) = section.take("on") {
        read_reasons(item, &mut retry);
    }
    if let Some(methods) =
        section.take("methods").and_then(|item| item.strings("leave methods out for the idempotent ones"))
    {
        retry.methods = methods.iter().filter_map(|at| section.report().good(at, method(&at.value))).collect();
    }
    retry.per_try = section.take("per-try-timeout").and_then(duration);
    retry.budget = section.take("budget").and_then(Item::share).unwrap_or(retry.budget);
    if let Some(buffer) = section.take("buffer").and_then(|item| item.size(0, 16 << 20)) {
        retry.buffer = usize::try_from(buffer).unwrap_or(retry.buffer);
    }
    section.finish();
    retry
}

fn read_reasons(item: Item<'_>, retry: &mut Retry) {
    let (report, place) = (item.report(), item.place());
    let remedy = "write \"connect\", \"reset\", \"timeout\", a status such as 503, or a class such as \"5xx\"";
    (retry.on_connect, retry.on_reset) = (false, false);
    if item.is_empty_array() {
        report.at(&place, "is empty", remedy);
    }
    for item in item.array().unwrap_or_default() {
        let at = item.place();
        let Some(text) = item.number_or_string(remedy) else { continue };
        match text.as_str() {
            "connect" => retry.on_connect = true,
            "reset" => retry.on_reset = true,
            "timeout" => retry.on_timeout = true,
            text if retry.on_status.add(text).is_some() => {}
            _ => report.at(&at, format!("{text:?} is not a reason to try again"), remedy),
        }
    }
}
