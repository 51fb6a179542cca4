//! Requests: whatever the pieces, the tracker says the same, and hyper agrees with all that it lets through.

use std::cell::Cell;
use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tollgate::framing::{Limits, Tracker};

use super::script::{Script, finish};

pub(super) fn run(data: &[u8]) {
    let Some((every, bytes)) = data.split_first() else { return };
    let whole = track(bytes, usize::MAX);
    for every in [1, 7, usize::from(*every)] {
        let pieces = track(bytes, every);
        assert_eq!((pieces.approved, pieces.heads), (whole.approved, whole.heads), "in pieces of {every}");
        // A violation in a line that has not ended shows earlier in pieces; nothing is let through either way.
        assert!(pieces.violated || !whole.violated, "in pieces of {every}");
        serve(&bytes[..pieces.approved], every, &pieces);
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

/// Lets hyper serve what was let through.
fn serve(bytes: &[u8], every: usize, tracked: &Tracked) {
    let (script, written) = Script::new(bytes, every);
    let begun = Cell::new(0);
    let service = service_fn(|request: Request<Incoming>| {
        begun.set(begun.get() + 1);
        async move {
            let whole = request.into_body().collect().await.is_ok();
            let mut response = Response::new(Full::new(Bytes::new()));
            *response.status_mut() = if whole { StatusCode::OK } else { StatusCode::IM_A_TEAPOT };
            Ok::<_, Infallible>(response)
        }
    });
    let served = http1::Builder::new().max_headers(100).max_buf_size(33 << 10).serve_connection(script, service);
    let _ = finish(served);
    assert!(begun.get() <= tracked.heads, "hyper has found a request where the tracker has not: {tracked:?}");
    let written = String::from_utf8_lossy(&written.borrow()).into_owned();
    for answer in written.split("\r\n\r\n").filter(|answer| !answer.is_empty()) {
        let known = ["200", "418", "100"].iter().any(|status| answer.get(9..12) == Some(*status));
        assert!(known, "hyper has refused what the tracker has let through: {answer}");
    }
}
