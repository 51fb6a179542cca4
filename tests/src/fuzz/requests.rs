//! Requests: whatever the pieces, the tracker says the same, and hyper agrees with all that it lets through.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::task::Context;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tollgate::framing::{Guarded, Limits, Refusal, Role, Tracker, Violation};

use super::script::{Script, finish};

pub(super) fn run(data: &[u8]) {
    let Some((every, bytes)) = data.split_first() else { return };
    let whole = track(bytes, usize::MAX);
    for every in [1, 7, usize::from(*every)] {
        let pieces = track(bytes, every);
        assert_eq!((pieces.approved, pieces.heads), (whole.approved, whole.heads), "in pieces of {every}");
        // A violation in a line that has not ended shows earlier in pieces; nothing is let through either way.
        assert!(pieces.violated || !whole.violated, "in pieces of {every}");
        serve(bytes, every, &pieces);
    }
}

#[derive(Debug)]
struct Tracked {
    approved: usize,
    heads: u64,
    violated: bool,
}

/// What the tracker says of bytes that come in pieces.
fn track(bytes: &[u8], every: usize) -> Tracked {
    let mut tracker = Tracker::new(Limits::default());
    let (mut approved, mut shown, mut violated) = (0, 0, false);
    while shown < bytes.len() && !violated {
        shown = shown.saturating_add(every.max(1)).min(bytes.len());
        tracker.go_on();
        loop {
            let scan = tracker.feed(&bytes[approved..shown]);
            approved += scan.approved;
            violated = scan.violation.is_some();
            if violated || !tracker.is_waiting() {
                break;
            }
            tracker.go_on();
        }
    }
    Tracked { approved, heads: tracker.heads(), violated }
}

/// As the gateway's own role, without waiting for anybody.
struct Client {
    approved: Rc<Cell<u64>>,
}

impl Role for Client {
    fn decide(&mut self, tracker: &mut Tracker, _: &Context<'_>) {
        tracker.go_on();
    }

    fn after_read(&mut self, tracker: &Tracker) {
        self.approved.set(tracker.heads());
    }

    fn refuse(&mut self, _: Violation, in_head: bool) -> Refusal {
        if in_head { Refusal::Instead(b"- / HTTP/1.1\r\n\r\n") } else { Refusal::Fail }
    }
}

/// Lets hyper serve them.
fn serve(bytes: &[u8], every: usize, tracked: &Tracked) {
    let (script, written) = Script::new(bytes, every);
    let (approved, begun) = (Rc::new(Cell::new(0)), Cell::new(0));
    let service = service_fn(|request: Request<Incoming>| {
        begun.set(begun.get() + 1);
        let is_refused = begun.get() > approved.get();
        assert!(!is_refused || tracked.violated, "hyper has found a request where the tracker has not: {request:?}");
        assert_eq!(
            request.method().as_str() == "-" && request.uri() == "/" && request.headers().is_empty(),
            is_refused
        );
        async move {
            let whole = request.into_body().collect().await.is_ok();
            let mut response = Response::new(Full::new(Bytes::new()));
            *response.status_mut() = if whole { StatusCode::OK } else { StatusCode::IM_A_TEAPOT };
            Ok::<_, Infallible>(response)
        }
    });
    let socket = Guarded::new(script, Client { approved: Rc::clone(&approved) }, Limits::default());
    let served = http1::Builder::new().max_headers(100).max_buf_size(33 << 10).serve_connection(socket, service);
    let _ = finish(served);
    assert!(begun.get() <= tracked.heads + u64::from(tracked.violated), "{} of {tracked:?}", begun.get());
    let written = String::from_utf8_lossy(&written.borrow()).into_owned();
    for answer in written.split("\r\n\r\n").filter(|answer| !answer.is_empty()) {
        let known = ["200", "418", "100"].iter().any(|status| answer.get(9..12) == Some(*status));
        assert!(known, "hyper has refused what the tracker has let through: {answer}");
    }
}
