//! The streams of an HTTP/2 connection: a task for each, which ends when the client leaves its response standing. A client
//! that opens no window would otherwise keep the exchange for ever (CVE-2019-9511, -9517).

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::time::{Instant, Sleep};

/// The largest piece of a response that is handed over at once: what a stream can hold beyond its window.
const PIECE: usize = 16 << 10;

/// Runs the streams of one connection on this thread.
#[derive(Clone)]
pub(super) struct Streams(Rc<Shared>);

struct Shared {
    /// How long a response may stand still.
    patience: Duration,
    /// That of the stream that is being polled.
    current: RefCell<Option<Rc<Standing>>>,
}

/// How a stream's response stands.
#[derive(Default)]
struct Standing {
    /// A piece was handed over, and the next has not been asked for: its window is full.
    waiting: Cell<bool>,
    /// How many pieces have been handed over.
    pieces: Cell<u64>,
}

impl Streams {
    pub(super) fn new(patience: Duration) -> Self {
        Self(Rc::new(Shared { patience, current: RefCell::default() }))
    }

    /// The body of the response of the stream that is being polled.
    pub(super) fn pace<B>(&self, body: B) -> Paced<B> {
        let standing = self.0.current.borrow().clone().unwrap_or_default();
        Paced { inner: body, rest: Bytes::new(), standing }
    }
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let task = Task {
            stream: Box::pin(stream),
            shared: Rc::clone(&self.0),
            standing: Rc::default(),
            timer: None,
            seen: 0,
        };
        tokio::task::spawn_local(task);
    }
}

/// A stream. Dropped before its end, h2 resets it.
struct Task<F> {
    stream: Pin<Box<F>>,
    shared: Rc<Shared>,
    standing: Rc<Standing>,
    /// Only made once a response has to wait for its window.
    timer: Option<Pin<Box<Sleep>>>,
    /// The piece that the timer is set for.
    seen: u64,
}

impl<F: Future<Output = ()>> Future for Task<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.shared.current.replace(Some(Rc::clone(&this.standing)));
        let ended = this.stream.as_mut().poll(cx);
        this.shared.current.replace(None);
        if ended.is_ready() || !this.standing.waiting.get() {
            return ended;
        }
        let patience = this.shared.patience;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        if this.seen != this.standing.pieces.get() {
            this.seen = this.standing.pieces.get();
            timer.as_mut().reset(Instant::now() + patience);
        }
        timer.as_mut().poll(cx)
    }
}

/// A response's body in pieces.
pub(super) struct Paced<B> {
    inner: B,
    rest: Bytes,
    standing: Rc<Standing>,
}

impl<B> Paced<B> {
    /// The next piece of what is left.
    fn piece(&mut self) -> Bytes {
        self.standing.waiting.set(true);
        self.standing.pieces.set(self.standing.pieces.get() + 1);
        self.rest.split_to(self.rest.len().min(PIECE))
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Paced<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.standing.waiting.set(false);
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(self.piece()))));
        }
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(data) => {
                    self.rest = data;
                    Frame::data(self.piece())
                }
                Err(frame) => frame,
            }))),
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.inner.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
