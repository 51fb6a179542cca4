//! A body that leaves a copy of itself as it is read. The copy is read by somebody else, and lost if it is not read fast
//! enough: what is kept for it is bounded.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::message::{Body, BodyError};
use crate::telemetry::CopyLost;

/// What has become of a copy.
pub(super) struct Fate(Rc<RefCell<Queue>>);

/// The body, and its copy, which may lag so many bytes behind.
pub(super) fn copied(body: Body, bound: usize) -> (Body, Body, Fate) {
    let queue = Rc::new(RefCell::new(Queue::new(bound, body.size_hint().exact())));
    let fate = Fate(Rc::clone(&queue));
    if let Body::Empty = body {
        return (Body::Empty, Body::Empty, fate);
    }
    let copy = Body::boxed(CopiedBody(Rc::clone(&queue)));
    (Body::boxed(Tee { inner: body, queue: Some(queue) }), copy, fate)
}

impl Fate {
    /// Why the copy is not whole, if it is not.
    pub(super) fn lost(&self) -> Option<CopyLost> {
        match self.0.borrow().state {
            State::Lost(why) => Some(why),
            State::Open | State::Ended => None,
        }
    }
}

/// What the original has read and the copy has not, within bounds.
struct Queue {
    frames: VecDeque<Frame<Bytes>>,
    /// What `frames` cost.
    held: usize,
    bound: usize,
    /// What the copy has not read yet, if the original's length is known.
    length: Option<u64>,
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
    fn new(bound: usize, length: Option<u64>) -> Self {
        Self { frames: VecDeque::new(), held: 0, bound, length, state: State::Open, reader: None }
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
        // Nobody asks on after the trailers, or after as much as was announced.
        let is_last = matches!(frame, Some(Ok(frame)) if frame.is_trailers());
        if is_last || self.inner.is_end_stream() || self.inner.size_hint().exact() == Some(0) {
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
            let read = frame.data_ref().map_or(0, |data| data.len() as u64);
            queue.length = queue.length.map(|length| length.saturating_sub(read));
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

    fn size_hint(&self) -> SizeHint {
        self.0.borrow().length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for CopiedBody {
    fn drop(&mut self) {
        // Whoever read it has gone: nothing more needs to be kept.
        self.0.borrow_mut().close(State::Lost(CopyLost::Failed));
    }
}
