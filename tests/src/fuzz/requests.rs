//! Requests: whatever the pieces, the same is read of them, and hyper reads the same of all that passes.

use std::cell::RefCell;
use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tollgate::connection::http1::{Intake, parse};
use tollgate::framing::{Limits, Tracker};
use tollgate::message::blank_request;

use super::script::{Script, finish};

/// A number that is not looked at and one that says where the bytes are cut, then requests.
pub fn run(data: &[u8]) {
    let Some(([_, every], bytes)) = data.split_first_chunk() else { return };
    let whole = track(bytes, usize::MAX);
    let taken = take(bytes, usize::MAX);
    for every in [1, 7, usize::from(*every)] {
        let pieces = track(bytes, every);
        assert_eq!((pieces.approved, pieces.heads), (whole.approved, whole.heads), "in pieces of {every}");
        // A violation in a line that has not ended shows earlier in pieces; nothing is let through either way.
        assert!(pieces.violated || !whole.violated, "in pieces of {every}");
        assert_eq!(take(bytes, every), taken, "in pieces of {every}");
        serve(&bytes[..pieces.approved], every, &taken);
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

/// A request as it was read, to its end or not.
#[derive(PartialEq, Debug)]
pub(super) struct Taken {
    pub(super) method: Method,
    pub(super) uri: String,
    pub(super) version: Version,
    pub(super) fields: HeaderMap,
    pub(super) content: Vec<u8>,
    pub(super) trailers: HeaderMap,
    pub(super) whole: bool,
}

impl Taken {
    fn new(head: request::Parts) -> Self {
        let (content, trailers) = (Vec::new(), HeaderMap::new());
        let uri = head.uri.to_string();
        Self { method: head.method, uri, version: head.version, fields: head.headers, content, trailers, whole: false }
    }
}

/// What is taken of bytes that come in pieces.
pub(super) fn take(bytes: &[u8], every: usize) -> Vec<Taken> {
    let mut intake = Intake::new(Limits::default());
    let mut taken = Vec::new();
    for piece in bytes.chunks(every.min(bytes.len()).max(1)) {
        intake.put(piece);
        while take_one(&mut intake, &mut taken) {}
    }
    taken
}

/// Takes what there is next; false if there is nothing more.
fn take_one(intake: &mut Intake, taken: &mut Vec<Taken>) -> bool {
    if intake.is_in_content()
        && let Some(last) = taken.last_mut()
    {
        let Ok(frame) = intake.content() else { return false };
        let more = frame.is_some() || !intake.is_in_content();
        match frame.map(http_body::Frame::into_data) {
            Some(Ok(data)) => last.content.extend_from_slice(&data),
            Some(Err(frame)) => last.trailers = frame.into_trailers().unwrap_or_default(),
            None => {}
        }
        last.whole = !intake.is_in_content();
        return more;
    }
    intake.go_on();
    let Ok(Some(head)) = intake.next_head() else { return false };
    let mut parts = blank_request();
    parse(&head, &mut parts).unwrap_or_else(|| panic!("what the tracker approves of is no head: {head:?}"));
    taken.push(Taken { whole: !intake.is_in_content(), ..Taken::new(parts) });
    true
}

/// Lets hyper serve what was let through.
fn serve(bytes: &[u8], every: usize, taken: &[Taken]) {
    let (script, written) = Script::new(bytes, every);
    let seen = RefCell::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let place = seen.borrow().len();
        seen.borrow_mut().push(Taken::new(head));
        let seen = &seen;
        async move {
            let mut response = Response::new(Full::new(Bytes::new()));
            match body.collect().await {
                Ok(body) => {
                    let one = &mut seen.borrow_mut()[place];
                    one.trailers = body.trailers().cloned().unwrap_or_default();
                    (one.content, one.whole) = (body.to_bytes().to_vec(), true);
                }
                Err(_) => *response.status_mut() = StatusCode::IM_A_TEAPOT,
            }
            Ok::<_, Infallible>(response)
        }
    });
    let served = http1::Builder::new().max_headers(100).max_buf_size(33 << 10).serve_connection(script, service);
    let _ = finish(served);
    compare(&seen.borrow(), taken);
    let written = String::from_utf8_lossy(&written.borrow()).into_owned();
    for answer in written.split("\r\n\r\n").filter(|answer| !answer.is_empty()) {
        let known = ["200", "418", "100"].iter().any(|status| answer.get(9..12) == Some(*status));
        assert!(known, "hyper has refused what the tracker has let through: {answer}");
    }
}

/// hyper may see fewer requests, as it closes connections; those that it sees are the same.
fn compare(seen: &[Taken], taken: &[Taken]) {
    assert!(seen.len() <= taken.len(), "hyper has found a request where we have not: {seen:?}, {taken:?}");
    for (theirs, ours) in seen.iter().zip(taken) {
        let head = |one: &Taken| (one.method.clone(), one.uri.clone(), one.version, one.fields.clone());
        assert_eq!(head(theirs), head(ours), "hyper reads another head");
        assert_eq!(theirs.whole, ours.whole, "hyper finds another end: {theirs:?}, {ours:?}");
        let rest = |one: &Taken| (one.content.clone(), one.trailers.clone());
        assert!(!ours.whole || rest(theirs) == rest(ours), "hyper reads other content: {theirs:?}, {ours:?}");
    }
}

/// The requests of the corpus.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    super::messages("requests")
}
