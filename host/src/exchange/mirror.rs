//! Copies of requests for a second upstream. Nothing here holds the original up: a mirror that cannot keep pace loses its
//! copy, and nobody waits for its response.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header, request};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::message::{Body, BodyError};
use crate::route::Mirror;
use crate::snapshot::View;
use crate::telemetry::{CopyLost, MirrorMetrics};
use crate::upstream::Pool;

/// Tells copies from originals.
const MARK: HeaderName = HeaderName::from_static("x-tollgate-mirror");

/// How many copies a worker has under way at most.
const MAX_COPIES: usize = 128;

/// How long a copy may take, from the request's head to the response's end.
const LONGEST: Duration = Duration::from_secs(60);

/// How much of a response is read so that its connection can be used again. One with more is closed.
const MAX_DISCARDED: usize = 1 << 20;

/// Begins a copy of the request, if it is the turn of this one; gives the body for the original.
pub(super) fn copy_to(mirror: &Mirror, view: &View, route: usize, head: &mut request::Parts, body: Body) -> Body {
    // Only copies have it, whatever clients send.
    head.headers.remove(MARK);
    let Some(metrics) = &view.snapshot.targets[route].mirror_metrics else { return body };
    // What follows an upgrade is no request that could be copied.
    if !view.turns(route).mirrors(mirror.percent) || head.headers.contains_key(header::UPGRADE) {
        return body;
    }
    let Some(under_way) = UnderWay::enter(view.copies()) else {
        metrics.lost(CopyLost::Busy);
        return body;
    };
    let queue = Rc::new(RefCell::new(Queue::new(mirror.buffer)));
    let (copy, body) = match body {
        Body::Empty => (Body::Empty, Body::Empty),
        body => (
            Body::boxed(CopiedBody(Rc::clone(&queue))),
            Body::boxed(Tee { inner: body, queue: Some(Rc::clone(&queue)) }),
        ),
    };
    let request = marked(head, copy);
    let (pool, metrics) = (Rc::clone(view.pool(mirror.upstream)), Arc::clone(metrics));
    tokio::task::spawn_local(async move {
        let _under_way = under_way;
        let answered = tokio::time::timeout(LONGEST, send(&pool, request)).await.unwrap_or(Err(CopyLost::Slow));
        count(&metrics, answered, &queue.borrow());
    });
    body
}

/// The request's head as the upstream gets it, with the mark of a copy.
fn marked(head: &request::Parts, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.headers_mut() = head.headers.clone();
    request.headers_mut().insert(MARK, HeaderValue::from_static("1"));
    request
}

/// Sends a copy and reads its response for nobody.
async fn send(pool: &Rc<Pool>, request: Request<Body>) -> Result<(), CopyLost> {
    let response = pool.call(request).await.map_err(|_| CopyLost::Failed)?;
    let mut body = response.into_body();
    let mut left = MAX_DISCARDED;
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let length = frame.map_err(|_| CopyLost::Failed)?.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => break,
        }
    }
    Ok(())
}

/// A copy without its whole body fails, but not through the mirror's fault.
fn count(metrics: &MirrorMetrics, answered: Result<(), CopyLost>, queue: &Queue) {
    match (answered, queue.state) {
        (Ok(()), _) => metrics.answered(),
        (Err(_), State::Lost(why)) | (Err(why), _) => metrics.lost(why),
    }
}

/// One of the copies that are under way on this worker.
struct UnderWay(Rc<Cell<usize>>);

impl UnderWay {
    fn enter(copies: &Rc<Cell<usize>>) -> Option<Self> {
        let count = copies.get();
        (count < MAX_COPIES).then(|| {
            copies.set(count + 1);
            Self(Rc::clone(copies))
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What the original has read and the copy has not, within bounds.
struct Queue {
    frames: VecDeque<Frame<Bytes>>,
    /// What `frames` cost.
    held: usize,
    bound: usize,
    state: State,
    reader: Option<Waker>,
}

#[derive(Clone, Copy)]
enum State {
    Open,
    /// All of the body is there, or was.
    Ended,
    Lost(CopyLost),
}

impl Queue {
    fn new(bound: usize) -> Self {
        Self { frames: VecDeque::new(), held: 0, bound, state: State::Open, reader: None }
    }

    fn push(&mut self, frame: &Frame<Bytes>) {
        let copy = match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => Frame::data(data.clone()),
            (None, Some(trailers)) => Frame::trailers(trailers.clone()),
            (None, None) => return,
        };
        self.held += cost(&copy);
        self.frames.push_back(copy);
        if self.held > self.bound {
            self.close(State::Lost(CopyLost::Slow));
        } else {
            self.wake();
        }
    }

    /// The first word counts.
    fn close(&mut self, state: State) {
        if let State::Open = self.state {
            self.state = state;
            if let State::Lost(_) = state {
                self.frames.clear();
            }
            self.wake();
        }
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// What keeping a piece costs: its bytes, and for the sake of many small ones, something for itself.
fn cost(frame: &Frame<Bytes>) -> usize {
    frame.data_ref().map_or(0, Bytes::len) + 64
}

/// The body of the original, which leaves a copy of what is read.
struct Tee {
    inner: Body,
    /// Gone when there is nobody to copy for any more.
    queue: Option<Rc<RefCell<Queue>>>,
}

impl Tee {
    fn copy(&mut self, frame: Option<&Result<Frame<Bytes>, BodyError>>) {
        let Some(queue) = &self.queue else { return };
        let mut queue = queue.borrow_mut();
        match frame {
            Some(Ok(frame)) => queue.push(frame),
            Some(Err(_)) => queue.close(State::Lost(CopyLost::Original)),
            None => queue.close(State::Ended),
        }
        // Nobody asks on after the trailers.
        let is_last = matches!(frame, Some(Ok(frame)) if frame.is_trailers());
        if is_last || self.inner.is_end_stream() {
            queue.close(State::Ended);
        }
        let over = !matches!(queue.state, State::Open);
        drop(queue);
        if over {
            self.queue = None;
        }
    }
}

impl HttpBody for Tee {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(frame) = &frame {
            self.copy(frame.as_ref());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.borrow_mut().close(State::Lost(CopyLost::Original));
        }
    }
}

/// The body of the copy.
struct CopiedBody(Rc<RefCell<Queue>>);

impl HttpBody for CopiedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut queue = self.0.borrow_mut();
        if let Some(frame) = queue.frames.pop_front() {
            queue.held -= cost(&frame);
            return Poll::Ready(Some(Ok(frame)));
        }
        match queue.state {
            State::Open => {
                queue.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            State::Ended => Poll::Ready(None),
            State::Lost(_) => Poll::Ready(Some(Err(BodyError::Copy))),
        }
    }

    fn is_end_stream(&self) -> bool {
        let queue = self.0.borrow();
        queue.frames.is_empty() && matches!(queue.state, State::Ended)
    }
}

impl Drop for CopiedBody {
    fn drop(&mut self) {
        // Whoever read it has gone: nothing more needs to be kept.
        self.0.borrow_mut().close(State::Lost(CopyLost::Failed));
    }
}
